//! Batches: several messages as one array.

use super::*;

fn call(id: u32) -> String {
    format!(r#"{{"jsonrpc":"2.0","method":"m","id":{id}}}"#)
}

fn replies(frame: &str) -> Vec<Value> {
    serde_json::from_str(frame).unwrap()
}

#[test]
fn replies_wait_for_each_other() {
    let server = server();
    let batch = format!("[{},{},{}]", call(1), call(2), call(3));
    assert_eq!(server.reads(batch), ["1 m []", "3 m []", "5 m []"]);
    assert_eq!(server.ok(3, "b"), None);
    assert_eq!(server.err(1, Code::NOT_FOUND, "a"), None);
    let expected = r#"[{"jsonrpc":"2.0","id":2,"result":"b"},{"jsonrpc":"2.0","id":1,"error":{"code":-32005,"message":"a"}},{"jsonrpc":"2.0","id":3,"result":null}]"#;
    assert_eq!(server.ok(5, ()).unwrap(), expected);
    assert_eq!(server.0.commit(5, b"x".to_vec()), Some(b"x".to_vec()), "nothing is left of it");
}

#[test]
fn replies_wait_for_the_rest_to_be_read() {
    let server = server();
    let message = Message::from(format!("[{},{}]", call(1), call(2)));
    let mut reader = server.0.reader(&message);
    for id in [1, 3] {
        assert!(matches!(reader.next(), Ok(Some(Head::Invoke { .. }))));
        assert_eq!(reader.finish().unwrap().id, Some(id));
        assert_eq!(server.ok(id, ()), None, "the end of the batch may still hold something");
    }
    let Ok(Some(Head::Answer(frame))) = reader.next() else { panic!("no answer") };
    assert_eq!(replies(std::str::from_utf8(&frame).unwrap()).len(), 2);
    assert_eq!(reader.finish().unwrap().id, None);
    assert_eq!(reader.next().unwrap(), None);
}

#[test]
fn batches_and_single_requests_do_not_wait_for_each_other() {
    let server = server();
    server.reads(format!("[{},{}]", call(1), call(2)));
    server.reads(format!("[{}]", call(3)));
    server.reads(call(4));
    assert_eq!(server.ok(1, ()), None);
    assert_eq!(server.ok(7, ()).unwrap(), r#"{"jsonrpc":"2.0","id":4,"result":null}"#);
    assert_eq!(server.ok(5, ()).unwrap(), r#"[{"jsonrpc":"2.0","id":3,"result":null}]"#);
    assert_eq!(replies(&server.ok(3, ()).unwrap()).len(), 2);
}

#[test]
fn what_is_no_request_has_its_error_among_the_replies() {
    let server = server();
    let batch = format!(r#"[1,[],{},{},"x",{{"jsonrpc":"2.0","id":null,"method":"m"}}]"#, call(1), call(1));
    assert_eq!(server.reads(batch), ["1 m []"]);
    let replies = replies(&server.ok(1, 5).unwrap());
    let codes: Vec<_> = replies.iter().map(|reply| reply["error"]["code"].as_i64()).collect();
    let invalid = Some(-32600);
    assert_eq!(codes, [invalid, invalid, invalid, invalid, invalid, None]);
    assert_eq!(replies[2]["id"], 1, "the same id twice");
    assert_eq!(replies[5]["result"], 5);
}

#[test]
fn a_batch_of_errors_is_answered_at_once() {
    let lines = server().reads("[{},{}]");
    assert_eq!(lines.len(), 1);
    assert_eq!(replies(lines[0].strip_prefix("answer ").unwrap()).len(), 2);
}

#[test]
fn notifications_and_cancels_have_no_reply() {
    let server = server();
    server.reads(call(9));
    let batch = r#"[{"jsonrpc":"2.0","method":"n","params":[1]},{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":9}},{"jsonrpc":"2.0","method":"$/x"}]"#;
    assert_eq!(server.reads(batch), ["n [1]", "cancel 1"]);
}

#[test]
fn a_call_of_a_batch_is_cancelled_within_it() {
    let server = server();
    server.reads(format!("[{},{}]", call(1), call(2)));
    assert_eq!(server.ok(1, ()), None);
    let cancel = r#"{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":2}}"#;
    assert_eq!(server.reads_one(cancel), "cancel 3");
    assert_eq!(replies(&server.err(3, Code::CANCELLED, "").unwrap())[1]["error"]["code"], -32001);
}

#[test]
fn responses_come_in_batches_too() {
    let client = client();
    let batch = r#"[{"jsonrpc":"2.0","id":1,"result":2},{"jsonrpc":"2.0","id":3,"error":{"code":7,"message":"no"}},{"jsonrpc":"2.0","method":"n"}]"#;
    assert_eq!(client.reads(batch), ["ok 1 2", "err 3 PERMISSION_DENIED: no", "n []"]);
}

#[test]
fn a_batch_has_a_thousand_elements_at_most() {
    let batch = |count: usize| format!("[{}]", vec!["1"; count].join(","));
    let lines = server().reads(batch(1000));
    assert_eq!(replies(lines[0].strip_prefix("answer ").unwrap()).len(), 1000);
    let refused = r#"answer {"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Invalid Request: the batch is too long"}}"#;
    assert_eq!(server().reads(batch(1001)), [refused]);
    assert_eq!(server().reads(batch(100_000)), [refused]);
}

#[test]
fn replies_that_wait_are_bounded() {
    let server = server();
    let calls: Vec<_> = (1..=18).map(call).collect();
    server.reads(format!("[{}]", calls.join(",")));
    let long = "x".repeat(100 * 1024);
    for id in 0..17 {
        assert_eq!(server.ok(id * 2 + 1, &long), None);
    }
    let sent = server.ok(35, ()).unwrap();
    assert!(sent.len() < 1024 * 1024);
    let replies = replies(&sent);
    let refused = replies.iter().filter(|reply| reply["error"]["code"] == -32008).count();
    assert_eq!((replies.len(), refused), (18, 7));
    server.reads(format!("[{},{}]", call(1), call(2)));
    assert_eq!(server.ok(37, &long), None, "what was sent does not count any more");
    assert!(server.ok(39, ()).unwrap().len() > long.len());
}

#[test]
fn batches_that_are_never_answered_are_refused_when_there_is_no_memory_for_their_replies() {
    let server = server();
    let batch = |n: u32| format!("[{},{}]", call(n), vec!["0"; 999].join(","));
    let taken = (1..=100).take_while(|&n| server.reads_one(batch(n)).contains("m []")).count();
    assert_eq!(taken, 4 * 1024 * 1024 / (384 * 1000));
    let refused = r#"answer {"jsonrpc":"2.0","id":null,"error":{"code":-32008,"message":"there is no memory for the replies of the batch"}}"#;
    assert_eq!(server.reads_one(batch(101)), refused);
    assert!(server.ok(1, ()).is_some());
    assert!(server.reads_one(batch(102)).contains("m []"));
}
