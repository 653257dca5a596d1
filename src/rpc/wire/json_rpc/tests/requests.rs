//! Requests and notifications of any client.

use super::*;

const INVALID: &str = r#""error":{"code":-32600,"message":"Invalid Request"}}"#;

fn call(id: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","method":"m","params":[],"id":{id}}}"#)
}

/// The answer that says a message is no request.
fn invalid(id: &str) -> String {
    format!(r#"answer {{"jsonrpc":"2.0","id":{id},{INVALID}"#)
}

#[test]
fn an_id_comes_back_as_it_went() {
    for id in
        ["1", "0", "-7", "1.5", "1e3", "18446744073709551616", "4294967297", r#""a""#, r#""""#, r#""ä€""#]
    {
        let server = server();
        assert_eq!(server.reads_one(call(id)), "1 m []", "{id}");
        assert_eq!(server.ok(1, 2).unwrap(), format!(r#"{{"jsonrpc":"2.0","id":{id},"result":2}}"#));
    }
}

#[test]
fn an_id_that_is_escaped_is_the_same_id() {
    let server = server();
    assert_eq!(server.reads_one(call(r#""\u0061\/b""#)), "1 m []");
    assert_eq!(
        server.reads(r#"{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":"a/b"}}"#),
        ["cancel 1"]
    );
    assert_eq!(server.ok(1, 2).unwrap(), r#"{"jsonrpc":"2.0","id":"a/b","result":2}"#);
}

#[test]
fn an_id_of_another_type_is_refused() {
    let longest = format!("\"{}\"", "x".repeat(254));
    assert_eq!(server().reads_one(call(&longest)), "1 m []");
    let too_long = format!("\"{}\"", "x".repeat(255));
    for id in ["null", "true", "[1]", r#"{"a":1}"#, &too_long, r#""\ud800""#] {
        assert_eq!(server().reads_one(call(id)), invalid("null"), "{id}");
    }
}

#[test]
fn an_id_is_in_use_until_its_reply() {
    let server = server();
    assert_eq!(server.reads_one(call("7")), "1 m []");
    let refused = r#"answer {"jsonrpc":"2.0","id":7,"error":{"code":-32600,"message":"Invalid Request: the id is in use"}}"#;
    assert_eq!(server.reads_one(call("7")), refused);
    assert_eq!(server.reads_one(call(r#""7""#)), "3 m []");
    assert_eq!(server.ok(1, 1).unwrap(), r#"{"jsonrpc":"2.0","id":7,"result":1}"#);
    assert_eq!(server.reads_one(call("7")), "5 m []");
    assert_eq!(server.ok(1, 1), None, "call 1 has ended");
}

#[test]
fn a_client_serves_with_even_ids() {
    let client = client();
    assert_eq!(client.reads_one(call("1")), "2 m []");
    assert_eq!(client.reads_one(call("2")), "4 m []");
    assert_eq!(client.ok(4, 1).unwrap(), r#"{"jsonrpc":"2.0","id":2,"result":1}"#);
}

#[test]
fn a_frame_that_is_thrown_away_changes_nothing() {
    let server = server();
    server.reads_one(call("1"));
    server.writes(Envelope::Ok { id: 1 }, 1);
    server.says(Control::Err { id: 1, status: &Status::new(Code::INTERNAL, "") });
    assert_eq!(server.ok(1, 2).unwrap(), r#"{"jsonrpc":"2.0","id":1,"result":2}"#);
}

#[test]
fn members_come_in_any_order_and_others_are_passed() {
    let requests = [
        r#"{"jsonrpc":"2.0","id":1,"method":"m","params":[1]}"#,
        r#"{"id":1,"params":[1],"method":"m","jsonrpc":"2.0"}"#,
        r#" { "params" : [1] , "x":{"id":null}, "id" : 1, "method":"\u006d","jsonrpc":"2.0","meta":{"dl":1} } "#,
    ];
    for request in requests {
        assert_eq!(server().reads_one(request), "1 m [1]");
        assert_eq!(server().reads_one(Message::binary(request.as_bytes().to_vec())), "1 m [1]");
    }
}

#[test]
fn parameters_are_an_array_an_object_or_absent() {
    let with = |params: &str| format!(r#"{{"jsonrpc":"2.0","method":"m"{params},"id":1}}"#);
    assert_eq!(server().reads_one(with("")), "1 m []");
    assert_eq!(server().reads_one(with(r#","params":null"#)), "1 m []");
    assert_eq!(server().reads_one(with(r#","params":{"a":[1]}"#)), r#"1 m {"a":[1]}"#);
    let refused = r#"answer {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"Invalid params"}}"#;
    for params in ["1", r#""[]""#, "true"] {
        assert_eq!(server().reads_one(with(&format!(r#","params":{params}"#))), refused);
        let notification = format!(r#"{{"jsonrpc":"2.0","method":"m","params":{params}}}"#);
        assert!(server().reads(notification).is_empty());
    }
}

#[test]
fn parameters_that_do_not_fit_are_the_methods_business() {
    let server = server();
    let message = Message::from(call("1"));
    let mut reader = server.0.reader(&message);
    assert!(matches!(reader.next(), Ok(Some(Head::Invoke { .. }))));
    assert!(reader.payload::<(u8, u8)>().is_err());
    assert_eq!(reader.finish().unwrap().id, Some(1));
    assert_eq!(reader.next().unwrap(), None);
    let error = server.err(1, Code::INVALID_ARGUMENT, "two").unwrap();
    assert_eq!(error, r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"two"}}"#);
}

#[test]
fn what_is_no_request_is_refused_with_its_id_where_it_has_one() {
    let requests = [
        (r#"{"method":"m","id":1}"#, "1"),
        (r#"{"jsonrpc":"1.0","method":"m","id":1}"#, "1"),
        (r#"{"jsonrpc":2.0,"method":"m","id":"x"}"#, r#""x""#),
        (r#"{"jsonrpc":"2.0","method":null,"id":1}"#, "1"),
        (r#"{"jsonrpc":"2.0","method":"m","result":1,"id":1}"#, "1"),
        (r#"{"jsonrpc":"2.0","id":1}"#, "1"),
        (r#"{"jsonrpc":"2.0","method":"m","method":"m","id":1}"#, "null"),
        (r#"{"jsonrpc":"2.0","method":"m","id":1,"id":2}"#, "null"),
        ("{}", "null"),
        ("1", "null"),
        (" null ", "null"),
        (r#""{}""#, "null"),
    ];
    for (request, id) in requests {
        assert_eq!(server().reads_one(request), invalid(id), "{request}");
    }
}

#[test]
fn what_is_no_json_is_told_so() {
    let answer = r#"answer {"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}"#;
    for text in
        ["", " ", "{", "nonsense", "1 2", "{} {}", "[1] [2]", "[1,]", "[,1]", "[1", "[1 2]", "{]", "\u{1}"]
    {
        assert_eq!(server().reads_one(text), answer, "{text}");
    }
}

#[test]
fn reserved_methods_are_not_told_to_the_runtime() {
    let refused = r#"answer {"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"Method not found"}}"#;
    for name in ["$/cancelRequest", "$/progress", "$/item", "$/"] {
        assert_eq!(server().reads_one(format!(r#"{{"jsonrpc":"2.0","method":"{name}","id":1}}"#)), refused);
        assert!(server().reads(format!(r#"{{"jsonrpc":"2.0","method":"{name}"}}"#)).is_empty());
    }
}

#[test]
fn a_request_that_is_cancelled_is_answered_all_the_same() {
    let server = server();
    server.reads_one(call(r#""a""#));
    let cancel = r#"{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"x":1,"id":"a"}}"#;
    assert_eq!(server.reads_one(cancel), "cancel 1");
    let error = server.err(1, Code::CANCELLED, "").unwrap();
    assert_eq!(error, r#"{"jsonrpc":"2.0","id":"a","error":{"code":-32001,"message":""}}"#);
    assert!(server.reads(cancel).is_empty(), "it has its answer");
}
