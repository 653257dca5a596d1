//! Conversations in JSON-RPC 2.0 as transcripts: what one end reads, in a line for each frame, and what it writes.
#![allow(clippy::unwrap_used)]

mod batches;
mod calls;
mod hostile;
mod requests;
mod specification;
mod streams;
mod subscriptions;

use std::time::Duration;

use converse_core::Message;
use serde::Serialize;
use serde_json::Value;

use crate::{
    frame::Role,
    rpc::{
        Code, Kind, Metadata, Status,
        wire::{Codec, Control, Envelope, GoAway, Head, Hello},
    },
    session::{Account, AnyConverter},
};

/// One end of a connection; the test is its runtime.
struct End(Codec);

fn server() -> End {
    end(Role::Server)
}

fn client() -> End {
    end(Role::Client)
}

fn end(role: Role) -> End {
    let account = Account::new(4 * 1024 * 1024, None);
    End(Codec::json_rpc(AnyConverter::new(converse_json::JsonConverter::default()), role, &account))
}

impl End {
    /// Reads a message, each frame by a reader of its own where it can be; a line for each.
    fn reads(&self, message: impl Into<Message>) -> Vec<String> {
        let message = message.into();
        let mut reader = self.0.reader(&message);
        let mut lines = Vec::new();
        while let Some(head) = reader.next().unwrap() {
            if let Head::Item { id } = head {
                // As where there is no memory for it.
                let _ = reader.payload::<Value>();
                reader = self.0.reader_at(&message, reader.place_of_frame(&message).unwrap());
                assert!(matches!(reader.next(), Ok(Some(Head::Item { id: again })) if again == id));
            }
            let mut payload = || reader.payload::<Value>().map_or("?".into(), |value| value.to_string());
            let (line, payload) = match head {
                Head::Invoke { method } => (method.into_owned(), payload()),
                Head::Ok { id } => (format!("ok {id}"), payload()),
                Head::Item { id } => (format!("item {id}"), payload()),
                Head::Err { id, status } => {
                    let data = status.data::<Value>().map(|data| data.unwrap().to_string());
                    (format!("err {id}"), [status.to_string(), data.unwrap_or_default()].join(" "))
                }
                Head::End { id } => (format!("end {id}"), String::new()),
                Head::Cancel { id } => (format!("cancel {id}"), String::new()),
                Head::Credit { id, more } => {
                    (format!("credit {id}"), format!("{} {}", more.items, more.bytes))
                }
                Head::GoAway(go_away) => ("goaway".into(), format!("{go_away:?}")),
                Head::Answer(frame) => ("answer".into(), String::from_utf8(frame).unwrap()),
                Head::Hello(_) | Head::Ping => panic!("there are none"),
                Head::Nothing => {
                    reader.finish().unwrap();
                    continue;
                }
            };
            let tail = reader.finish().unwrap();
            if let Some(place) = reader.place(&message) {
                reader = self.0.reader_at(&message, place);
            }
            assert!(tail.meta.is_empty());
            let id = tail.id.map(|id| format!("{id} "));
            lines.push(format!("{}{line} {payload}", id.unwrap_or_default()).trim_end().to_owned());
        }
        lines
    }

    /// Reads a message; the bytes of each frame.
    fn lens(&self, message: impl Into<Message>) -> Vec<usize> {
        let message = message.into();
        let mut reader = self.0.reader(&message);
        let mut lens = Vec::new();
        while reader.next().unwrap().is_some() {
            lens.push(reader.finish().unwrap().len);
        }
        lens
    }

    /// Reads a message of one frame.
    fn reads_one(&self, message: impl Into<Message>) -> String {
        let mut lines = self.reads(message);
        assert_eq!(lines.len(), 1, "{lines:?}");
        lines.remove(0)
    }

    fn ok(&self, id: u32, value: impl Serialize) -> Option<String> {
        self.commits(id, self.writes(Envelope::Ok { id }, value))
    }

    fn ok_empty(&self, id: u32) -> Option<String> {
        self.commits(id, self.says(Control::Done { id }))
    }

    fn err(&self, id: u32, code: Code, message: &str) -> Option<String> {
        self.fails(id, &Status::new(code, message))
    }

    fn fails(&self, id: u32, status: &Status) -> Option<String> {
        self.commits(id, self.says(Control::Err { id, status }))
    }

    fn commits(&self, id: u32, frame: String) -> Option<String> {
        self.0.commit(id, frame.into_bytes()).map(|frame| String::from_utf8(frame).unwrap())
    }

    fn accepts(&self, id: u32, method: &str) -> String {
        let mut out = Vec::new();
        self.0.accept(id, method, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn item(&self, id: u32, value: impl Serialize) -> String {
        self.writes(Envelope::Item { id }, value)
    }

    fn call(&self, id: u32, kind: Kind, method: &str, args: impl Serialize) -> String {
        self.writes(Envelope::Call { id, kind, method, meta: &Metadata::default() }, args)
    }

    fn cancel(&self, id: u32) -> String {
        self.says(Control::Cancel { id })
    }

    /// Writes a frame that carries a value.
    fn writes(&self, envelope: Envelope<'_>, value: impl Serialize) -> String {
        String::from_utf8(self.0.frame(envelope, &value).unwrap()).unwrap()
    }

    /// Writes a frame that carries none.
    fn says(&self, control: Control<'_>) -> String {
        String::from_utf8(self.0.control(control)).unwrap()
    }
}

fn go_away() -> GoAway {
    GoAway { code: 4001, reason: "update".into(), retry: Duration::from_millis(500) }
}

#[test]
fn there_are_no_greetings_and_no_pings() {
    let end = server();
    assert_eq!(end.says(Control::Hello(&Hello::default())), "");
    assert_eq!(end.says(Control::Ping), "");
    assert!(end.0.is_json_rpc());
    assert_eq!(end.0.separator(), None);
}

#[test]
fn a_farewell_is_a_notification() {
    let frame = server().says(Control::GoAway(&go_away()));
    let expected =
        r#"{"jsonrpc":"2.0","method":"$/goaway","params":{"code":4001,"reason":"update","retry_ms":500}}"#;
    assert_eq!(frame, expected);
    assert_eq!(client().reads_one(frame), format!("goaway {:?}", go_away()));
    assert_eq!(
        client().reads_one(r#"{"jsonrpc":"2.0","method":"$/goaway","params":{}}"#),
        format!("goaway {:?}", GoAway { code: 4001, reason: String::new(), retry: Duration::ZERO })
    );
}
