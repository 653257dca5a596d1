//! What a peer may send to do harm: cut, damaged, deep and endless messages.

use serde::de::IgnoredAny;

use super::*;

/// One message of each kind, for ends that have calls and streams of both directions open.
const MESSAGES: &[&str] = &[
    r#"{"jsonrpc":"2.0","id":"a\u0062","method":"calc.add","params":[40,{"x":"ä\n"}]}"#,
    r#"{"jsonrpc":"2.0","method":"log","params":{"line":"hi","n":-1.5e3}}"#,
    r#"[{"jsonrpc":"2.0","id":1,"method":"m"}, 1, {"jsonrpc":"2.0","id":2,"method":"m","params":[]}]"#,
    r#"{"jsonrpc":"2.0","id":3,"method":"unsubscribe","params":["s1"]}"#,
    r#"{"jsonrpc":"2.0","method":"$/item","params":["open",[1,2]]}"#,
    r#"{"jsonrpc":"2.0","method":"$/end","params":["open"]}"#,
    r#"{"jsonrpc":"2.0","method":"$/credit","params":[1,32]}"#,
    r#"{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":"open"}}"#,
    r#"{"jsonrpc":"2.0","method":"$/goaway","params":{"code":4001,"reason":"x","retry_ms":5}}"#,
    r#"{"jsonrpc":"2.0","id":1,"result":{"a":[true,null]}}"#,
    r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"no","data":[1]}}"#,
    r#"{"jsonrpc":"2.0","method":"t","params":{"subscription":"x","result":[1]}}"#,
    r#"{"jsonrpc":"2.0","method":"t","params":{"subscription":"x","error":{"code":0,"message":""}}}"#,
];

/// An end in the middle of everything.
fn busy(role: Role) -> End {
    let end = match role {
        Role::Server => server(),
        Role::Client => client(),
    };
    let (theirs, ours) = if role == Role::Server { (1, 2) } else { (2, 1) };
    end.reads(r#"{"jsonrpc":"2.0","id":"stream","method":"t"}"#);
    end.accepts(theirs, "t");
    end.reads(r#"{"jsonrpc":"2.0","id":"open","method":"import"}"#);
    end.call(ours, Kind::Unary, "m", [0; 0]);
    end.call(ours + 2, Kind::ServerStream, "t", [0; 0]);
    end.reads(format!(r#"{{"jsonrpc":"2.0","id":{},"result":"x"}}"#, ours + 2));
    end
}

/// Reads whatever it is, and checks that it is answered in JSON if at all.
fn survives(end: &End, bytes: &[u8]) {
    let message = Message::binary(bytes.to_vec());
    for decodes in [true, false] {
        let mut reader = end.0.reader(&message);
        while let Some(head) = reader.next().unwrap() {
            if let Head::Answer(frame) = head {
                serde_json::from_slice::<IgnoredAny>(&frame).unwrap();
            } else if decodes {
                let _ = reader.payload::<Value>();
                let _ = reader.payload::<Value>();
            }
            let tail = reader.finish().unwrap();
            if let Some(reply) = tail.id.and_then(|id| end.ok(id, "done")) {
                serde_json::from_str::<IgnoredAny>(&reply).unwrap();
            }
        }
        assert_eq!(reader.next().unwrap(), None);
    }
}

fn works(end: &End) {
    let id = end.reads_one(r#"{"jsonrpc":"2.0","id":"last","method":"m"}"#);
    let id = id.split(' ').next().unwrap().parse().unwrap();
    assert_eq!(end.ok(id, 1).unwrap(), r#"{"jsonrpc":"2.0","id":"last","result":1}"#);
}

#[test]
fn messages_that_are_cut_do_no_harm() {
    for role in [Role::Server, Role::Client] {
        for message in MESSAGES {
            let end = busy(role);
            for cut in 0..message.len() {
                survives(&end, &message.as_bytes()[..cut]);
                survives(&end, &message.as_bytes()[cut..]);
            }
            works(&end);
        }
    }
}

#[test]
fn messages_that_are_damaged_do_no_harm() {
    for role in [Role::Server, Role::Client] {
        for message in MESSAGES {
            let end = busy(role);
            for at in 0..message.len() {
                for byte in *b"\"\\{}[],:0-n \0\x80\xff" {
                    let mut bytes = message.as_bytes().to_vec();
                    bytes[at] = byte;
                    survives(&end, &bytes);
                    bytes.insert(at, byte);
                    survives(&end, &bytes);
                }
            }
            works(&end);
        }
    }
}

#[test]
fn members_are_taken_from_each_other_without_harm() {
    let values =
        ["null", "true", "1", "-0", "1e999", r#""""#, "[]", "[[]]", "{}", r#"{"id":1}"#, r#"["s1"]"#];
    for role in [Role::Server, Role::Client] {
        let end = busy(role);
        for id in values {
            for params in values {
                for key in ["params", "result", "error"] {
                    for method in
                        ["", r#","method":"$/item""#, r#","method":"unsubscribe""#, r#","method":"m""#]
                    {
                        let message = format!(r#"{{"jsonrpc":"2.0","id":{id},"{key}":{params}{method}}}"#);
                        survives(&end, message.as_bytes());
                        survives(&end, format!("[{message},{message}]").as_bytes());
                    }
                }
            }
        }
        works(&end);
    }
}

#[test]
fn nesting_does_not_fill_the_stack() {
    let end = busy(Role::Server);
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}"), (r#"[{"jsonrpc":"#, "}]")] {
        let inner = if open.starts_with('[') && close == "]" { "" } else { "1" };
        let deep = [open.repeat(20_000).as_str(), inner, &close.repeat(20_000)].concat();
        survives(&end, deep.as_bytes());
        survives(&end, open.repeat(20_000).as_bytes());
        for member in ["id", "method", "params", "result", "error", "jsonrpc"] {
            survives(&end, format!(r#"{{"jsonrpc":"2.0","{member}":{deep},"method":"m"}}"#).as_bytes());
        }
        survives(
            &end,
            format!(r#"{{"jsonrpc":"2.0","method":"unsubscribe","id":8,"params":[{deep}]}}"#).as_bytes(),
        );
        survives(
            &end,
            format!(r#"{{"jsonrpc":"2.0","method":"$/item","params":["open",{deep}]}}"#).as_bytes(),
        );
    }
    works(&end);
}

#[test]
fn parameters_that_are_too_deep_fail_alone() {
    let server = server();
    let deep = ["[".repeat(1000), "]".repeat(1000)].concat();
    let line = server.reads_one(format!(r#"{{"jsonrpc":"2.0","id":1,"method":"m","params":{deep}}}"#));
    assert_eq!(line, "1 m ?");
    works(&server);
}

#[test]
fn batches_without_end_do_no_harm() {
    let end = busy(Role::Server);
    let call = r#"{"jsonrpc":"2.0","id":"x","method":"m"}"#;
    for (element, count) in [("1", 100_000), ("[]", 1000), ("{}", 1001), (call, 1000), (call, 5000)] {
        survives(&end, format!("[{}]", vec![element; count].join(",")).as_bytes());
        survives(&end, format!("[{}", vec![element; count].join(",")).as_bytes());
    }
    works(&end);
}

#[test]
fn ids_and_subscriptions_without_end_do_no_harm() {
    let end = busy(Role::Client);
    let long = "x".repeat(1_000_000);
    let digits = "9".repeat(1_000_000);
    survives(&end, format!(r#"{{"jsonrpc":"2.0","id":"{long}","method":"m"}}"#).as_bytes());
    survives(&end, format!(r#"{{"jsonrpc":"2.0","id":{digits},"method":"m"}}"#).as_bytes());
    survives(&end, format!(r#"{{"jsonrpc":"2.0","id":{digits},"result":1}}"#).as_bytes());
    survives(
        &end,
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"unsubscribe","params":["s{digits}"]}}"#).as_bytes(),
    );
    end.call(5, Kind::ServerStream, "t", [0; 0]);
    let line = end.reads_one(format!(r#"{{"jsonrpc":"2.0","id":5,"result":"{long}"}}"#));
    assert_eq!(line, "err 5 INTERNAL: the reply is no subscription id");
    works(&end);
}
