//! The names that travel: of services and of methods. Knows no syntax of traits.

use proc_macro2::Span;
use syn::{Ident, LitStr, ext::IdentExt};

use crate::faults::Faults;

/// More is refused by every peer.
const MAX_LEN: usize = 128;
/// What JSON-RPC 2.0 (§4) and LSP keep for themselves.
const RESERVED: [&str; 2] = ["rpc.", "$/"];

/// The full name of a method as it travels, and where it was given.
pub(crate) struct WireName {
    pub(crate) text: String,
    pub(crate) span: Span,
}

impl WireName {
    /// Takes a name that was written out.
    pub(crate) fn given(name: &LitStr, faults: &mut Faults) -> Self {
        Self::checked(name.value(), name.span(), faults)
    }

    /// Builds the name that a method of a service has by itself. The service's own name has been checked.
    pub(crate) fn of(service: &str, method: &Ident, faults: &mut Faults) -> Self {
        let (text, span) = (format!("{service}.{}", method.unraw()), method.span());
        check_len(&text, span, faults);
        Self { text, span }
    }

    fn checked(text: String, span: Span, faults: &mut Faults) -> Self {
        if text.is_empty() {
            faults.at_span(span, "a method needs a name on the wire");
        }
        check_characters(&text, span, faults);
        check_len(&text, span, faults);
        check_reserved(&text, &text, span, faults);
        Self { text, span }
    }
}

/// Checks what all methods of a service begin with.
pub(crate) fn check_service(name: &str, span: Span, faults: &mut Faults) {
    if name.is_empty() {
        faults.at_span(span, "a service needs a name: the wire knows its methods as `<service>.<method>`");
    }
    check_characters(name, span, faults);
    check_reserved(name, &format!("{name}."), span, faults);
}

/// Spells the name of a trait as services are spelled: `HttpCache` is `http_cache`.
pub(crate) fn snake_case(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut spelled = String::new();
    for (index, letter) in letters.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|before| letters.get(before));
        let begins_word = letter.is_uppercase()
            && before.is_some_and(|before| {
                let ends_acronym = letters.get(index + 1).is_some_and(|after| after.is_lowercase());
                *before != '_' && (!before.is_uppercase() || ends_acronym)
            });
        if begins_word {
            spelled.push('_');
        }
        spelled.extend(letter.to_lowercase());
    }
    spelled
}

fn check_characters(text: &str, span: Span, faults: &mut Faults) {
    if text.chars().any(char::is_control) {
        faults.at_span(span, "a name on the wire holds no control characters");
    }
}

fn check_len(text: &str, span: Span, faults: &mut Faults) {
    if text.len() > MAX_LEN {
        let len = text.len();
        faults.at_span(span, format!("a name on the wire has at most {MAX_LEN} bytes; this one has {len}"));
    }
}

fn check_reserved(shown: &str, text: &str, span: Span, faults: &mut Faults) {
    if let Some(reserved) = RESERVED.iter().find(|reserved| text.starts_with(**reserved)) {
        let shown = shown.escape_debug();
        faults.at_span(
            span,
            format!("`{shown}`: names that begin with `{reserved}` are reserved by JSON-RPC and LSP"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trait_is_spelled_as_a_service() {
        let spellings = [
            ("Calc", "calc"),
            ("HttpCache", "http_cache"),
            ("HTTPCache", "http_cache"),
            ("Utf8Text", "utf8_text"),
            ("Snake_Case", "snake_case"),
            ("ABC", "abc"),
            ("Ünder", "ünder"),
        ];
        for (name, spelled) in spellings {
            assert_eq!(snake_case(name), spelled);
        }
    }

    #[test]
    fn the_longest_name_has_128_bytes() {
        for (len, fits) in [(128, true), (129, false)] {
            let mut faults = Faults::default();
            check_len(&"x".repeat(len), Span::call_site(), &mut faults);
            assert_eq!(faults.finish(()).is_ok(), fits, "{len}");
        }
    }
}
