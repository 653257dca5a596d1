//! Streams of answers as subscriptions, as a client sees them that knows nothing of this crate.

use super::*;

const SUBSCRIBE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"calc.ticks","params":[100]}"#;

fn unsubscribe(method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#)
}

fn reply(result: &str) -> String {
    format!(r#"answer {{"jsonrpc":"2.0","id":1,"result":{result}}}"#)
}

#[test]
fn a_stream_is_a_subscription() {
    let server = server();
    assert_eq!(server.reads_one(SUBSCRIBE), "1 calc.ticks [100]");
    assert_eq!(server.accepts(1, "calc.ticks"), r#"{"jsonrpc":"2.0","id":0,"result":"s1"}"#);
    let item = r#"{"jsonrpc":"2.0","method":"calc.ticks","params":{"subscription":"s1","result":[7]}}"#;
    assert_eq!(server.item(1, [7]), item);
    let end = r#"{"jsonrpc":"2.0","method":"calc.ticks","params":{"subscription":"s1","error":{"code":0,"message":"end of stream"}}}"#;
    assert_eq!(server.ok_empty(1).unwrap(), end);
    assert_eq!(server.item(1, [8]), "", "it has ended");
}

#[test]
fn ethereum_clients_are_told_by_the_name_they_know() {
    let server = server();
    server.reads(r#"{"method":"eth_subscribe","params":["newHeads"],"id":4,"jsonrpc":"2.0"}"#);
    assert_eq!(server.accepts(1, "eth_subscribe"), r#"{"jsonrpc":"2.0","id":4,"result":"s1"}"#);
    let item = r#"{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"s1","result":{"number":"0x1"}}}"#;
    assert_eq!(server.item(1, serde_json::json!({"number": "0x1"})), item);
    let lines = server.reads(r#"{"method":"eth_unsubscribe","params":["s1"],"id":5,"jsonrpc":"2.0"}"#);
    assert_eq!(lines, [r#"answer {"jsonrpc":"2.0","id":5,"result":true}"#, "cancel 1"]);
}

#[test]
fn a_stream_that_fails_says_why() {
    let server = server();
    server.reads_one(SUBSCRIBE);
    server.accepts(1, "calc.ticks");
    let end = r#"{"jsonrpc":"2.0","method":"calc.ticks","params":{"subscription":"s1","error":{"code":100,"message":"no"}}}"#;
    assert_eq!(server.err(1, Code::new(100), "no").unwrap(), end);
}

#[test]
fn a_stream_that_is_refused_has_an_ordinary_reply() {
    let server = server();
    server.reads_one(SUBSCRIBE);
    assert_eq!(server.item(1, 1), "", "nobody was told of it");
    let error = r#"{"jsonrpc":"2.0","id":0,"error":{"code":-32008,"message":"full"}}"#;
    assert_eq!(server.err(1, Code::RESOURCE_EXHAUSTED, "full").unwrap(), error);
    assert_eq!(server.accepts(1, "calc.ticks"), "");
}

#[test]
fn a_client_unsubscribes() {
    let methods =
        ["unsubscribe", "calc.unsubscribe", "unsubscribe_ticks", "eth_unsubscribe", "a_unsubscribeAll"];
    for method in methods {
        let server = server();
        server.reads_one(SUBSCRIBE);
        server.accepts(1, "calc.ticks");
        let lines = server.reads(unsubscribe(method, r#"["s1"]"#));
        assert_eq!(lines, [reply("true"), "cancel 1".to_owned()]);
        assert_eq!(server.item(1, 1), "", "the client does not want it");
        assert_eq!(server.err(1, Code::CANCELLED, ""), None, "nor its end");
        assert_eq!(server.reads(unsubscribe(method, r#"["s1"]"#)), [reply("false")]);
    }
}

#[test]
fn a_client_unsubscribes_in_a_batch() {
    let server = server();
    server.reads_one(SUBSCRIBE);
    server.accepts(1, "calc.ticks");
    let batch = format!("[{}]", unsubscribe("unsubscribe", r#"["s1"]"#));
    assert_eq!(server.reads(batch), ["cancel 1", r#"answer [{"jsonrpc":"2.0","id":1,"result":true}]"#]);
}

#[test]
fn a_method_is_not_shadowed_by_what_ends_subscriptions() {
    let server = server();
    server.reads_one(SUBSCRIBE);
    server.accepts(1, "calc.ticks");
    let others = [
        ("mail.unsubscribe", r#"["ada@example.org"]"#),
        ("mail.unsubscribe", r#"["s2"]"#),
        ("mail.unsubscribe", r#"["s01"]"#),
        ("mail.unsubscribe", r#"["s+1"]"#),
        ("mail.unsubscribe", "[1]"),
        ("mail.unsubscribe", r#"["s1",2]"#),
        ("mail.unsubscribe", "[]"),
        ("mail.unsubscribe", r#"{"subscription":"s1"}"#),
        ("unsubscribe.all", r#"["s1"]"#),
        ("calc.rate", r#"["s1"]"#),
    ];
    for (index, (method, params)) in others.into_iter().enumerate() {
        let id = index * 2 + 3;
        assert_eq!(server.reads_one(unsubscribe(method, params)), format!("{id} {method} {params}"));
        server.ok(id.try_into().unwrap(), ());
    }
}

#[test]
fn a_subscription_in_a_batch_is_told_with_the_others() {
    let server = server();
    let batch = format!(r#"[{SUBSCRIBE},{{"jsonrpc":"2.0","id":1,"method":"m"}}]"#);
    server.reads(batch);
    assert_eq!(server.accepts(1, "calc.ticks"), "");
    let both = r#"[{"jsonrpc":"2.0","id":0,"result":"s1"},{"jsonrpc":"2.0","id":1,"result":null}]"#;
    assert_eq!(server.ok(3, ()).unwrap(), both);
    assert!(server.ok_empty(1).unwrap().contains("end of stream"), "its end is none of the batch");

    server.reads(format!("[{SUBSCRIBE}]"));
    assert_eq!(server.accepts(5, "calc.ticks"), r#"[{"jsonrpc":"2.0","id":0,"result":"s2"}]"#);
}

#[test]
fn the_last_to_be_accepted_completes_a_batch() {
    let server = server();
    server.reads(format!(r#"[{SUBSCRIBE},{{"jsonrpc":"2.0","id":1,"method":"m"}}]"#));
    assert_eq!(server.ok(3, ()), None);
    let both = r#"[{"jsonrpc":"2.0","id":1,"result":null},{"jsonrpc":"2.0","id":0,"result":"s1"}]"#;
    assert_eq!(server.accepts(1, "calc.ticks"), both);
}

#[test]
fn a_reply_frees_the_id_of_a_subscription() {
    let server = server();
    server.reads_one(SUBSCRIBE);
    server.accepts(1, "calc.ticks");
    assert_eq!(server.reads_one(SUBSCRIBE), "3 calc.ticks [100]");
    assert_eq!(server.accepts(3, "calc.ticks"), r#"{"jsonrpc":"2.0","id":0,"result":"s2"}"#);
    assert!(server.ok_empty(1).is_some());
    let cancel = r#"{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":0}}"#;
    assert_eq!(server.reads_one(cancel), "cancel 3", "the id stands for the later request");
}
