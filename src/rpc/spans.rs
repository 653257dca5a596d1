//! The spans of calls and conversations, with OpenTelemetry's names. Knows no table.

use tracing::{Span, field::Empty, level_filters::LevelFilter};

use crate::{
    frame::Role,
    rpc::{Code, Metadata},
};

/// How many characters of a text that a peer has chosen go into a span or a log.
const SHOWN: usize = 64;

/// The span of a conversation.
pub(crate) fn conversation(role: Role, protocol: &str) -> Span {
    let kind = match role {
        Role::Server => "server",
        Role::Client => "client",
    };
    tracing::info_span!(
        "conversation",
        rpc.system.name = "converse",
        otel.kind = kind,
        network.protocol.name = protocol
    )
}

/// The span of a call that this end makes.
pub(crate) fn made(method: &str) -> Span {
    if !are_recorded() {
        return Span::none();
    }
    let (service, name) = split(method);
    tracing::info_span!(
        "rpc.call",
        otel.name = method,
        otel.kind = "client",
        otel.status_code = Empty,
        rpc.system.name = "converse",
        rpc.service = service,
        rpc.method = name,
        rpc.response.status_code = Empty,
    )
}

/// The span of a call that this end serves. The method is one of this end's names, and no text of the peer.
pub(crate) fn served(method: &str, metadata: &Metadata) -> Span {
    if !are_recorded() {
        return Span::none();
    }
    let (service, name) = split(method);
    let span = tracing::info_span!(
        "rpc.serve",
        otel.name = method,
        otel.kind = "server",
        otel.status_code = Empty,
        rpc.system.name = "converse",
        rpc.service = service,
        rpc.method = name,
        rpc.response.status_code = Empty,
        traceparent = Empty,
    );
    if let Some(traceparent) = metadata.traceparent().filter(|text| is_traceparent(text)) {
        span.record("traceparent", traceparent);
    }
    span
}

/// Tells whether a peer's text is one of W3C Trace Context: `version-trace-parent-flags`, in hexadecimal digits.
fn is_traceparent(text: &str) -> bool {
    let fields = text
        .split('-')
        .map(|field| field.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(field.len()));
    fields.eq([2, 32, 16, 2].map(Some))
}

/// Tells whether anybody may record spans of calls. Without one they are not even described, to the `log` crate neither.
fn are_recorded() -> bool {
    LevelFilter::current() >= LevelFilter::INFO
}

/// Notes how a call has ended; `None` for a success.
pub(crate) fn end(span: &Span, code: Option<Code>) {
    let code = code.unwrap_or(Code::OK);
    span.record("rpc.response.status_code", tracing::field::display(code));
    if code != Code::OK {
        span.record("otel.status_code", "ERROR");
    }
}

/// Makes a text that a peer has chosen fit for a log: cut, and its control characters escaped.
pub(crate) fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

/// Splits a method's name into those of its service and itself.
fn split(method: &str) -> (&str, &str) {
    method.rsplit_once('.').unwrap_or(("", method))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_the_peer_is_cut_and_escaped() {
        assert_eq!(shown("calc.add"), "calc.add");
        assert_eq!(shown("a\nb\u{1b}[31m"), "a\\nb\\u{1b}[31m");
        let long = shown(&"é".repeat(1000));
        assert_eq!(long.chars().count(), SHOWN + 1);
    }

    #[test]
    fn a_traceparent_is_what_the_specification_says() {
        assert!(is_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
        for wrong in ["", "SECRET", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7", "00-SECRET-00-01"]
        {
            assert!(!is_traceparent(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_method_belongs_to_the_service_before_its_last_point() {
        assert_eq!(split("a.calc.add"), ("a.calc", "add"));
        assert_eq!(split("eth_subscribe"), ("", "eth_subscribe"));
    }
}
