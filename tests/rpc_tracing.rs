//! What calls leave in traces: a span each on either side, and nothing of a peer's text as it came.
#![allow(clippy::unwrap_used)]

#[path = "support/rpc.rs"]
mod support;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use converse::rpc::{CallError, Code, Router, Status, Streaming};
use futures::{StreamExt, stream};
use support::{calling, greeted, pair, settle};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

/// Keeps all spans and events as fields of text.
#[derive(Clone, Default)]
struct Log(Arc<Kept>);

#[derive(Default)]
struct Kept {
    next: AtomicU64,
    spans: Mutex<BTreeMap<u64, Fields>>,
    events: Mutex<Vec<Fields>>,
}

#[derive(Clone, Debug, Default)]
struct Fields(BTreeMap<String, String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("converse::rpc")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let id = self.0.next.fetch_add(1, SeqCst) + 1;
        let mut fields = Fields::default();
        fields.0.insert("span".to_owned(), span.metadata().name().to_owned());
        span.record(&mut fields);
        self.0.spans.lock().unwrap().insert(id, fields);
        Id::from_u64(id)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        values.record(self.0.spans.lock().unwrap().get_mut(&span.into_u64()).unwrap());
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        self.0.events.lock().unwrap().push(fields);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl Log {
    /// Returns the spans of a name, each as `method service code status`.
    fn spans(&self, name: &str) -> Vec<String> {
        let spans = self.0.spans.lock().unwrap();
        let named = spans.values().filter(|fields| fields.0["span"] == name);
        named
            .map(|fields| {
                assert_eq!(fields.0["rpc.system.name"], "converse");
                let keys = ["rpc.service", "rpc.method", "rpc.response.status_code", "otel.status_code"];
                keys.map(|key| fields.0.get(key).map_or("-", String::as_str)).join(" ")
            })
            .collect()
    }

    fn all(&self) -> String {
        let (spans, events) = (self.0.spans.lock().unwrap(), self.0.events.lock().unwrap());
        spans
            .values()
            .chain(events.iter())
            .flat_map(|fields| fields.0.values())
            .fold(String::new(), |all, value| all + value + "|")
    }
}

fn router() -> Router {
    Router::new()
        .call("calc.add", |_, (a, b): (i64, i64)| async move { Ok::<_, Status>(a + b) })
        .call("calc.fail", |_, _: [(); 0]| async { Err::<(), _>(Status::new(Code::NOT_FOUND, "no")) })
        .call("calc.boom", |_, _: [(); 0]| async { panic!("boom") as Result<(), Status> })
        .call("never", |_, _: [(); 0]| std::future::pending::<Result<(), Status>>())
        .client_stream("calc.sum", |_, _: [(); 0], items: Streaming<u32>| async move {
            Ok::<_, Status>(items.count().await)
        })
        .stream("calc.count", |_, _: [(); 0]| stream::iter([Ok::<_, Status>(1)]))
        .notification("calc.log", |_, _: [(); 0]| async {})
}

#[tokio::test(start_paused = true)]
async fn each_call_has_a_span_on_both_sides_with_how_it_ended() {
    let log = Log::default();
    let _default = tracing::subscriber::set_default(log.clone());
    let (_server, client) = pair(router(), Router::new());
    let none = [(); 0];
    client.call::<_, i64>("calc.add", (1, 2)).await.unwrap();
    assert!(client.call::<_, ()>("calc.fail", none).await.is_err());
    assert!(client.call::<_, ()>("calc.boom", none).await.is_err());
    let late = client.call::<_, ()>("never", none).deadline(Duration::from_secs(1)).await;
    assert!(matches!(late, Err(CallError::Deadline)));
    let sum = client.call::<_, usize>("calc.sum", none).sending(stream::iter([1u32]));
    assert_eq!(sum.await.unwrap(), 1);
    assert_eq!(client.open::<_, u32>("calc.count", none).await.unwrap().count().await, 1);
    client.notify("calc.log", none).await.unwrap();
    settle().await;
    let expected = [
        "calc add OK -",
        "calc fail NOT_FOUND ERROR",
        "calc boom INTERNAL ERROR",
        " never DEADLINE_EXCEEDED ERROR",
        "calc sum OK -",
        "calc count OK -",
        "calc log OK -",
    ];
    assert_eq!(log.spans("rpc.call"), expected);
    let mut served = expected;
    // A handler that is dropped has no end.
    served[3] = " never - -";
    assert_eq!(log.spans("rpc.serve"), served);
}

#[tokio::test(start_paused = true)]
async fn a_peers_text_is_escaped_and_cut_in_what_is_logged() {
    let log = Log::default();
    let _default = tracing::subscriber::set_default(log.clone());
    let long = "x".repeat(10_000);
    let evil = format!("evil\\n\\u001b[31m{long}");
    let (_peer, mut raw) = greeted(router()).await;
    raw.say(format!(r#"{{"method":"{evil}"}}"#)).await;
    raw.say(format!(r#"{{"id":1,"method":"{evil}"}}"#)).await;
    raw.say(format!(r#"{{"error":{{"code":1,"message":"{evil}"}}}}"#)).await;
    raw.say(format!(r#"{{"id":3,"method":"calc.add","params":[1,2],"meta":{{"tp":"{evil}"}}}}"#)).await;
    raw.say(format!(r#"{{"method":"calc.add","params":["{evil}"]}}"#)).await;
    raw.say(format!(r#"{{"{evil}":1}}"#)).await;
    raw.rest().await;
    raw.say(format!(r#"{{"id":"{evil}","method":"x"}}"#)).await;
    assert_eq!(raw.closed().await.0, 4400);

    let (client, mut raw) = calling(Router::new()).await;
    let call = tokio::spawn(client.call::<_, ()>("m", [(); 0]).into_future());
    raw.frame().await;
    raw.say(format!(r#"{{"id":1,"error":{{"code":1,"message":"{evil}"}}}}"#)).await;
    assert!(call.await.unwrap().is_err());

    let all = log.all();
    assert!(all.contains("evil\\n"), "{all}");
    assert!(!all.contains(['\n', '\u{1b}']), "{all}");
    assert!(!all.contains(&"x".repeat(200)), "{} bytes logged", all.len());
}

#[tokio::test(start_paused = true)]
async fn the_trace_of_a_caller_is_in_the_span_of_the_served_call() {
    let log = Log::default();
    let _default = tracing::subscriber::set_default(log.clone());
    let (_server, client) = pair(router(), Router::new());
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    client.call::<_, i64>("calc.add", (1, 2)).traceparent(trace).await.unwrap();
    let spans = log.0.spans.lock().unwrap();
    let served = spans.values().find(|fields| fields.0["span"] == "rpc.serve").unwrap();
    assert_eq!(served.0["traceparent"], trace);
    assert_eq!(served.0["otel.kind"], "server");
}
