//! The examples of the JSON-RPC 2.0 specification, §7, as they are written there.

use serde::Deserialize;
use serde_json::Value;

use super::*;

#[derive(Deserialize)]
struct Subtract {
    minuend: i64,
    subtrahend: i64,
}

/// Serves what the examples call, and returns all that is sent.
fn serve(request: &str) -> Vec<Value> {
    let server = server();
    let message = Message::from(request);
    let mut reader = server.0.reader(&message);
    let mut sent = Vec::new();
    while let Some(head) = reader.next().unwrap() {
        let method = match head {
            Head::Invoke { method } => method,
            Head::Answer(frame) => {
                sent.push(frame);
                reader.finish().unwrap();
                continue;
            }
            Head::Nothing => {
                reader.finish().unwrap();
                continue;
            }
            head => panic!("{head:?}"),
        };
        let result = match &*method {
            "subtract" => reader.payload::<Subtract>().map(|args| (args.minuend - args.subtrahend).into()),
            "sum" => reader.payload::<Vec<i64>>().map(|args| args.iter().sum::<i64>().into()),
            "get_data" => reader.payload::<[Value; 0]>().map(|_| serde_json::json!(["hello", 5])),
            _ => Ok(Value::Null),
        };
        let result = result.unwrap();
        let Some(id) = reader.finish().unwrap().id else { continue };
        let reply = match result {
            Value::Null => server.err(id, Code::UNIMPLEMENTED, "Method not found"),
            result => server.ok(id, result),
        };
        sent.extend(reply.map(String::into_bytes));
    }
    let mut sent: Vec<Value> = sent.iter().map(|frame| serde_json::from_slice(frame).unwrap()).collect();
    sent.iter_mut().for_each(sort);
    sent
}

/// The replies of a batch come in any order.
fn sort(message: &mut Value) {
    if let Some(replies) = message.as_array_mut() {
        replies.sort_by_key(Value::to_string);
    }
}

fn answers(request: &str, response: &str) {
    let mut expected: Value = serde_json::from_str(response).unwrap();
    sort(&mut expected);
    assert_eq!(serve(request), [expected], "{request}");
}

fn answers_nothing(request: &str) {
    assert_eq!(serve(request), [] as [Value; 0], "{request}");
}

#[test]
fn rpc_call_with_positional_parameters() {
    answers(
        r#"{"jsonrpc": "2.0", "method": "subtract", "params": [42, 23], "id": 1}"#,
        r#"{"jsonrpc": "2.0", "result": 19, "id": 1}"#,
    );
    answers(
        r#"{"jsonrpc": "2.0", "method": "subtract", "params": [23, 42], "id": 2}"#,
        r#"{"jsonrpc": "2.0", "result": -19, "id": 2}"#,
    );
}

#[test]
fn rpc_call_with_named_parameters() {
    answers(
        r#"{"jsonrpc": "2.0", "method": "subtract", "params": {"subtrahend": 23, "minuend": 42}, "id": 3}"#,
        r#"{"jsonrpc": "2.0", "result": 19, "id": 3}"#,
    );
    answers(
        r#"{"jsonrpc": "2.0", "method": "subtract", "params": {"minuend": 42, "subtrahend": 23}, "id": 4}"#,
        r#"{"jsonrpc": "2.0", "result": 19, "id": 4}"#,
    );
}

#[test]
fn a_notification() {
    answers_nothing(r#"{"jsonrpc": "2.0", "method": "update", "params": [1,2,3,4,5]}"#);
    answers_nothing(r#"{"jsonrpc": "2.0", "method": "foobar"}"#);
}

#[test]
fn rpc_call_of_non_existent_method() {
    answers(
        r#"{"jsonrpc": "2.0", "method": "foobar", "id": "1"}"#,
        r#"{"jsonrpc": "2.0", "error": {"code": -32601, "message": "Method not found"}, "id": "1"}"#,
    );
}

#[test]
fn rpc_call_with_invalid_json() {
    answers(
        r#"{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]"#,
        r#"{"jsonrpc": "2.0", "error": {"code": -32700, "message": "Parse error"}, "id": null}"#,
    );
}

#[test]
fn rpc_call_with_invalid_request_object() {
    answers(
        r#"{"jsonrpc": "2.0", "method": 1, "params": "bar"}"#,
        r#"{"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null}"#,
    );
}

#[test]
fn rpc_call_batch_invalid_json() {
    answers(
        r#"[
  {"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},
  {"jsonrpc": "2.0", "method"
]"#,
        r#"{"jsonrpc": "2.0", "error": {"code": -32700, "message": "Parse error"}, "id": null}"#,
    );
}

#[test]
fn rpc_call_with_an_empty_array() {
    answers(
        "[]",
        r#"{"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null}"#,
    );
}

#[test]
fn rpc_call_with_an_invalid_batch_but_not_empty() {
    answers(
        "[1]",
        r#"[
  {"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null}
]"#,
    );
}

#[test]
fn rpc_call_with_invalid_batch() {
    answers(
        "[1,2,3]",
        r#"[
  {"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null},
  {"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null},
  {"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null}
]"#,
    );
}

#[test]
fn rpc_call_batch() {
    answers(
        r#"[
        {"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},
        {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]},
        {"jsonrpc": "2.0", "method": "subtract", "params": [42,23], "id": "2"},
        {"foo": "boo"},
        {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},
        {"jsonrpc": "2.0", "method": "get_data", "id": "9"}
    ]"#,
        r#"[
        {"jsonrpc": "2.0", "result": 7, "id": "1"},
        {"jsonrpc": "2.0", "result": 19, "id": "2"},
        {"jsonrpc": "2.0", "error": {"code": -32600, "message": "Invalid Request"}, "id": null},
        {"jsonrpc": "2.0", "error": {"code": -32601, "message": "Method not found"}, "id": "5"},
        {"jsonrpc": "2.0", "result": ["hello", 5], "id": "9"}
    ]"#,
    );
}

#[test]
fn rpc_call_batch_all_notifications() {
    answers_nothing(
        r#"[
        {"jsonrpc": "2.0", "method": "notify_sum", "params": [1,2,4]},
        {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]}
    ]"#,
    );
}
