//! Streams between two ends of this crate.

use super::*;
use crate::rpc::window::Window;

/// Two ends, of which the client has asked for a stream with call 1 and been accepted.
fn subscribed(method: &str, kind: Kind) -> (End, End) {
    let (server, client) = (server(), client());
    let call = client.call(1, kind, method, [1]);
    assert_eq!(server.reads_one(call), format!("1 {method} [1]"));
    assert!(client.reads(server.accepts(1, method)).is_empty(), "the subscription is the codec's business");
    (server, client)
}

#[test]
fn items_come_and_the_stream_ends() {
    let (server, client) = subscribed("calc.ticks", Kind::ServerStream);
    assert_eq!(client.reads_one(server.item(1, 7)), "item 1 7");
    assert_eq!(client.reads_one(server.item(1, [8])), "item 1 [8]");
    let end = server.ok_empty(1).unwrap();
    assert_eq!(client.reads_one(end.clone()), "ok 1 null");
    assert!(client.reads(end).is_empty(), "there is one end");
}

#[test]
fn a_stream_fails_with_its_data() {
    let (server, client) = subscribed("calc.ticks", Kind::ServerStream);
    let status = Status::new(Code::NOT_FOUND, "no").with_value(server.0.converter(), &[1, 2]).unwrap();
    let end = server.fails(1, &status).unwrap();
    assert_eq!(client.reads_one(end), "err 1 NOT_FOUND: no [1,2]");
}

#[test]
fn a_stream_that_is_refused_fails() {
    let (server, client) = (server(), client());
    server.reads(client.call(1, Kind::ServerStream, "t", [0; 0]));
    let error = server.err(1, Code::UNIMPLEMENTED, "no t").unwrap();
    assert_eq!(client.reads_one(error), "err 1 UNIMPLEMENTED: no t");
    assert_eq!(client.cancel(1), r#"{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":1}}"#);
}

#[test]
fn a_stream_is_cancelled_by_the_id_of_its_request() {
    let (server, client) = subscribed("calc.ticks", Kind::ServerStream);
    let cancel = client.cancel(1);
    assert_eq!(cancel, r#"{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":1}}"#);
    assert_eq!(client.cancel(1), "", "once is enough");
    assert_eq!(server.reads_one(cancel), "cancel 1");
    assert_eq!(client.reads_one(server.err(1, Code::CANCELLED, "").unwrap()), "err 1 CANCELLED");
}

#[test]
fn a_stream_is_cancelled_by_its_unsubscribe_method() {
    let (server, client) = subscribed("log_subscribe", Kind::ServerStream);
    let cancel = client.cancel(1);
    assert_eq!(cancel, r#"{"jsonrpc":"2.0","id":4294967297,"method":"log_unsubscribe","params":["s1"]}"#);
    let lines = server.reads(cancel);
    assert_eq!(lines[1..], ["cancel 1"]);
    assert_eq!(server.err(1, Code::CANCELLED, ""), None);
    let reply = lines[0].strip_prefix("answer ").unwrap();
    assert_eq!(client.reads_one(reply), "err 1 CANCELLED", "every call has its end");
    assert!(client.reads(reply).is_empty());
}

#[test]
fn a_stream_that_ends_while_it_is_cancelled_ends_once() {
    let (server, client) = subscribed("log_subscribe", Kind::ServerStream);
    let end = server.ok_empty(1).unwrap();
    let lines = server.reads(client.cancel(1));
    assert_eq!(client.reads_one(end), "ok 1 null");
    assert_eq!(lines, [r#"answer {"jsonrpc":"2.0","id":4294967297,"result":false}"#]);
    assert!(client.reads(lines[0].strip_prefix("answer ").unwrap()).is_empty());
}

#[test]
fn a_stream_that_was_cancelled_before_it_began_is_unsubscribed_then() {
    let client = client();
    client.call(1, Kind::ServerStream, "eth_subscribe", ["newHeads"]);
    assert_eq!(client.cancel(1), r#"{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":1}}"#);
    let lines = client.reads(r#"{"jsonrpc":"2.0","id":1,"result":"0xcd"}"#);
    let unsubscribe = r#"{"jsonrpc":"2.0","id":4294967297,"method":"eth_unsubscribe","params":["0xcd"]}"#;
    assert_eq!(lines, [format!("answer {unsubscribe}")]);
    assert_eq!(client.reads(r#"{"jsonrpc":"2.0","id":4294967297,"result":true}"#), ["err 1 CANCELLED"]);
}

#[test]
fn a_subscription_of_any_server_is_a_stream() {
    for id in ["12", "-1", r#""0x9cef478923ff08bf67fde6c64013158d""#, r#""\u0061""#] {
        let client = client();
        client.call(3, Kind::ServerStream, "eth_subscribe", ["newHeads"]);
        assert!(client.reads(format!(r#"{{"jsonrpc":"2.0","id":3,"result":{id}}}"#)).is_empty());
        let told = |says: &str| {
            format!(
                r#"{{"jsonrpc":"2.0","method":"eth_subscription","params":{{{says},"subscription":{id}}}}}"#
            )
        };
        assert_eq!(client.reads_one(told(r#""result":{"n":1}"#)), r#"item 3 {"n":1}"#);
        assert_eq!(client.reads_one(told(r#""error":"too slow""#)), "err 3 UNKNOWN: too slow");
        assert!(client.reads(told(r#""result":1"#)).is_empty(), "it has ended");
    }
}

#[test]
fn the_error_of_a_subscription_is_any_json() {
    let errors = [
        (r#"{"code":-32603,"message":"x","data":[1]}"#, "err 1 INTERNAL: x [1]"),
        (r#"{"code":0}"#, "ok 1 null"),
        ("[1]", "err 1 UNKNOWN [1]"),
        (r#"{"reason":"x"}"#, r#"err 1 UNKNOWN {"reason":"x"}"#),
    ];
    for (error, line) in errors {
        let (_, client) = subscribed("t", Kind::ServerStream);
        let told =
            format!(r#"{{"jsonrpc":"2.0","method":"t","params":{{"subscription":"s1","error":{error}}}}}"#);
        assert_eq!(client.reads_one(told), line);
    }
}

#[test]
fn a_reply_that_is_no_subscription_ends_the_call() {
    for result in ["true", "[1]", r#"{"a":1}"#] {
        let client = client();
        client.call(1, Kind::ServerStream, "t", [0; 0]);
        let reply = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#);
        assert_eq!(client.reads_one(reply), "err 1 INTERNAL: the reply is no subscription id");
    }
    let client = client();
    client.call(1, Kind::ServerStream, "t", [0; 0]);
    assert_eq!(client.reads_one(r#"{"jsonrpc":"2.0","id":1,"result":null}"#), "ok 1 null");
}

#[test]
fn a_call_that_was_not_sent_is_forgotten() {
    let client = client();
    client.call(1, Kind::ServerStream, "log_subscribe", [0; 0]);
    client.0.forget(1);
    assert_eq!(client.reads_one(r#"{"jsonrpc":"2.0","id":1,"result":"x"}"#), r#"ok 1 "x""#);
}

#[test]
fn two_streams_do_not_share_a_subscription() {
    let client = client();
    client.call(1, Kind::ServerStream, "t", [0; 0]);
    client.call(3, Kind::ServerStream, "t", [0; 0]);
    assert!(client.reads(r#"{"jsonrpc":"2.0","id":1,"result":"a"}"#).is_empty());
    let line = client.reads_one(r#"{"jsonrpc":"2.0","id":3,"result":"a"}"#);
    assert_eq!(line, "err 3 INTERNAL: the reply is no subscription id");
    let item = r#"{"jsonrpc":"2.0","method":"t","params":{"subscription":"a","result":1}}"#;
    assert_eq!(client.reads_one(item), "item 1 1");
    let line = client.reads_one(r#"{"jsonrpc":"2.0","id":1,"result":"b"}"#);
    assert_eq!(line, "err 1 INTERNAL: the reply is no subscription id", "a second reply");
}

#[test]
fn a_notification_is_the_methods_until_there_is_a_stream() {
    let client = client();
    let told = r#"{"jsonrpc":"2.0","method":"t","params":{"subscription":"a","result":1}}"#;
    assert_eq!(client.reads_one(told), r#"t {"result":1,"subscription":"a"}"#);
    client.call(1, Kind::ServerStream, "t", [0; 0]);
    assert!(client.reads(told).is_empty(), "it may be late");
    let other = r#"{"jsonrpc":"2.0","method":"t","params":{"subscription":"a","result":1,"more":2}}"#;
    assert_eq!(client.reads_one(other), r#"t {"more":2,"result":1,"subscription":"a"}"#);
    assert_eq!(client.reads_one(r#"{"jsonrpc":"2.0","method":"t","params":[1]}"#), "t [1]");
}

#[test]
fn a_caller_sends_a_stream() {
    let (server, client) = (server(), client());
    server.reads(client.call(1, Kind::ClientStream, "import", [0; 0]));
    let item = client.item(1, ["row"]);
    assert_eq!(item, r#"{"jsonrpc":"2.0","method":"$/item","params":[1,["row"]]}"#);
    assert_eq!(server.reads_one(item), r#"item 1 ["row"]"#);
    let credit = server.says(Control::Credit { id: 1, more: Window { items: 16, bytes: 900 } });
    assert_eq!(credit, r#"{"jsonrpc":"2.0","method":"$/credit","params":[1,16,900]}"#);
    assert_eq!(client.reads_one(credit), "credit 1 16 900");
    let end = client.says(Control::End { id: 1 });
    assert_eq!(end, r#"{"jsonrpc":"2.0","method":"$/end","params":[1]}"#);
    assert_eq!(server.reads_one(end), "end 1");
    assert_eq!(client.reads_one(server.ok(1, 1).unwrap()), "ok 1 1");
}

#[test]
fn an_item_has_the_bytes_of_its_message_or_of_its_element() {
    let (server, client) = subscribed("chat", Kind::BidiStream);
    for value in ["", "said", "\u{e9}\"\n"] {
        for (end, item) in [(&server, client.item(1, value)), (&client, server.item(1, value))] {
            let len = item.len();
            assert_eq!(end.lens(item.as_str()), [len]);
            assert_eq!(end.lens(format!(" \n{item}\t ")), [len]);
            assert_eq!(end.lens(format!("[{item}, {item} ]")), [len, len]);
        }
    }
}

#[test]
fn two_streams_run_on_one_call() {
    let (server, client) = subscribed("chat", Kind::BidiStream);
    assert_eq!(server.reads_one(client.item(1, "said")), r#"item 1 "said""#);
    assert_eq!(client.reads_one(server.item(1, "heard")), r#"item 1 "heard""#);
    let credit = client.says(Control::Credit { id: 1, more: Window { items: 16, bytes: 900 } });
    assert_eq!(credit, "", "a stream of answers needs no credit");
    assert_eq!(server.reads_one(client.says(Control::End { id: 1 })), "end 1");
    assert_eq!(client.reads_one(server.ok_empty(1).unwrap()), "ok 1 null");
}

#[test]
fn a_server_asks_its_client_for_a_stream() {
    let (server, client) = (server(), client());
    let call = server.call(2, Kind::BidiStream, "ui.keys", [0; 0]);
    assert_eq!(client.reads_one(call), "2 ui.keys []");
    assert!(server.reads(client.accepts(2, "ui.keys")).is_empty());
    assert_eq!(server.reads_one(client.item(2, "q")), r#"item 2 "q""#);
    assert_eq!(client.reads_one(server.item(2, 1)), "item 2 1");
    assert_eq!(server.reads_one(client.ok_empty(2).unwrap()), "ok 2 null");
}

#[test]
fn what_speaks_of_an_unknown_call_says_nothing() {
    let unknown = [
        r#""$/item","params":[1,2]"#,
        r#""$/item","params":[1]"#,
        r#""$/item","params":{}"#,
        r#""$/item","params":[null,1]"#,
        r#""$/end","params":[1]"#,
        r#""$/end","params":[]"#,
        r#""$/credit","params":[1,1]"#,
        r#""$/credit","params":[1,1,1,1]"#,
        r#""$/credit","params":[1,-1,1]"#,
        r#""$/credit","params":[1,1,-1]"#,
        r#""$/credit","params":[1,[1,1]]"#,
        r#""$/credit","params":["1",1,1]"#,
        r#""$/credit","params":[4294967298,1,1]"#,
        r#""$/cancelRequest","params":{"id":1}"#,
        r#""$/cancelRequest","params":{}"#,
        r#""$/cancelRequest","params":[1]"#,
        r#""$/goaway","params":{"code":"x"}"#,
    ];
    for rest in unknown {
        assert!(server().reads(format!(r#"{{"jsonrpc":"2.0","method":{rest}}}"#)).is_empty(), "{rest}");
    }
}
