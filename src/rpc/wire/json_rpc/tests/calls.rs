//! Calls of this end, and their replies.

use super::*;

#[test]
fn a_call_travels_there_and_back() {
    let (server, client) = (server(), client());
    let call = client.call(1, Kind::Unary, "calc.add", [40, 2]);
    assert_eq!(call, r#"{"jsonrpc":"2.0","id":1,"method":"calc.add","params":[40,2]}"#);
    assert_eq!(server.reads_one(call), "1 calc.add [40,2]");
    assert_eq!(client.reads_one(server.ok(1, 42).unwrap()), "ok 1 42");
}

#[test]
fn no_arguments_are_no_parameters() {
    let call = client().call(1, Kind::Unary, "m", ());
    assert_eq!(call, r#"{"jsonrpc":"2.0","id":1,"method":"m"}"#);
    assert_eq!(
        client().call(1, Kind::Unary, "m", [()]),
        r#"{"jsonrpc":"2.0","id":1,"method":"m","params":[null]}"#
    );
}

#[test]
fn a_server_calls_its_client() {
    let (server, client) = (server(), client());
    client.call(1, Kind::Unary, "calc.add", [40, 2]);
    assert_eq!(client.reads_one(server.call(2, Kind::Unary, "ui.ask", ["sure?"])), r#"2 ui.ask ["sure?"]"#);
    assert_eq!(server.reads_one(client.ok(2, true).unwrap()), "ok 2 true");
}

#[test]
fn a_notification_travels() {
    let mut meta = Metadata::default();
    meta.set_header("name", "does not travel");
    let frame = client().writes(Envelope::Notify { method: "log", meta: &meta }, ["hi"]);
    assert_eq!(frame, r#"{"jsonrpc":"2.0","method":"log","params":["hi"]}"#);
    assert_eq!(server().reads_one(frame), r#"log ["hi"]"#);
}

#[test]
fn an_error_keeps_its_code_and_its_data() {
    let (server, client) = (server(), client());
    for (number, id) in (1..=16).chain([17, 100, i32::MAX]).zip((1..).step_by(2)) {
        assert_eq!(server.reads_one(client.call(1, Kind::Unary, "m", [()])), format!("{id} m [null]"));
        let status = Status::new(Code::new(number), "why").with_value(client.0.converter(), &"x").unwrap();
        let frame = server.fails(id, &status).unwrap();
        assert_eq!(client.reads_one(frame), format!(r#"err 1 {}: why "x""#, Code::new(number)));
    }
}

#[test]
fn an_error_about_no_call_has_no_id() {
    let frame = server().says(Control::Err { id: 0, status: &Status::new(Code::INTERNAL, "x") });
    assert_eq!(frame, r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32603,"message":"x"}}"#);
    assert_eq!(client().reads_one(frame), "err 0 INTERNAL: x");
    assert_eq!(client().reads_one(r#"{"error":{"code":-32700,"message":"?"}}"#), "err 0 INVALID_ARGUMENT: ?");
}

#[test]
fn a_response_is_never_answered() {
    let responses = [
        r#"{"jsonrpc":"2.0","result":1}"#,
        r#"{"jsonrpc":"2.0","id":null,"result":1}"#,
        r#"{"jsonrpc":"2.0","id":2,"result":1}"#,
        r#"{"jsonrpc":"2.0","id":0,"result":1}"#,
        r#"{"jsonrpc":"2.0","id":"1","result":1}"#,
        r#"{"jsonrpc":"2.0","id":1.0,"result":1}"#,
        r#"{"jsonrpc":"2.0","id":-1,"result":1}"#,
        r#"{"jsonrpc":"2.0","id":[1],"result":1}"#,
        r#"{"jsonrpc":"2.0","id":4294967299,"result":1}"#,
        r#"{"jsonrpc":"2.0","id":18446744073709551615,"result":1}"#,
        r#"{"jsonrpc":"2.0","id":99999999999999999999,"error":{"code":1}}"#,
    ];
    for response in responses {
        assert!(client().reads(response).is_empty(), "{response}");
    }
}

#[test]
fn replies_of_careless_servers_are_read() {
    let replies = [
        (r#"{"id":1,"result":1}"#, "ok 1 1"),
        (r#"{"id":1,"result":1,"error":null}"#, "ok 1 1"),
        (r#"{"id":1,"error":null}"#, "ok 1 null"),
        (r#"{"id":1,"result":null,"error":{"code":5,"message":"x"}}"#, "err 1 NOT_FOUND: x"),
        (r#"{"id":1,"error":{"code":5}}"#, "err 1 NOT_FOUND"),
        (r#"{"id":1,"error":"x"}"#, "err 1 INTERNAL: the reply is malformed: not a JSON object"),
        (
            r#"{"id":1,"error":{"message":"x"}}"#,
            "err 1 INTERNAL: the reply is malformed: an error without a code",
        ),
        (r#"{"id":1,"error":{"code":-32042,"message":""}}"#, "err 1 UNKNOWN"),
    ];
    for (reply, line) in replies {
        assert_eq!(client().reads_one(reply), line);
    }
}

#[test]
fn a_call_is_cancelled_by_a_notification() {
    let (server, client) = (server(), client());
    server.reads(client.call(1, Kind::Unary, "m", [0; 0]));
    let cancel = client.cancel(1);
    assert_eq!(cancel, r#"{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":1}}"#);
    assert_eq!(server.reads_one(cancel), "cancel 1");
}
