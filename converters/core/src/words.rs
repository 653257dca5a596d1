//! What of a format's error may be shown: serde's own phrases, without the values that they quote. Knows no format.

use std::borrow::Cow;

use crate::{ConvertErrorKind, guard::CUT};

/// What serde's phrases call the values that are found where others are wanted (`serde::de::Unexpected`); `null` is what
/// serde_json says for a unit.
const FOUND: [&str; 17] = [
    "boolean",
    "integer",
    "floating point",
    "character",
    "string",
    "byte array",
    "unit value",
    "Option value",
    "newtype struct",
    "sequence",
    "map",
    "enum",
    "unit variant",
    "newtype variant",
    "tuple variant",
    "struct variant",
    "null",
];

/// What stands in front of what a type wants: its own words, behind all that came from the payload.
const WANTED: [&str; 3] = [", expected ", ", there are no ", " at line "];

/// Returns serde's phrase without the values in it, or what can be said of the kind where there is no such phrase.
pub(crate) fn words(kind: ConvertErrorKind, text: &str) -> Cow<'static, str> {
    let phrase = mistaken(text).or_else(|| unknown(text)).or_else(|| of_field(text));
    match (phrase, kind) {
        // The words of a type may be its own too, and a log is no place for control characters.
        (Some(phrase), _) => {
            Cow::Owned(phrase.chars().map(|c| if c.is_control() { ' ' } else { c }).collect())
        }
        (None, ConvertErrorKind::Encode) => Cow::Borrowed("the value cannot be encoded"),
        (None, _) => match place(text) {
            "" => Cow::Borrowed("the bytes do not fit the type"),
            place => Cow::Owned(format!("the bytes do not fit the type{place}")),
        },
    }
}

/// "invalid type: string \"…\", expected u64", and values and lengths likewise.
fn mistaken(text: &str) -> Option<String> {
    let (what, rest) =
        text.split_once(": ").filter(|(what, _)| matches!(*what, "invalid type" | "invalid value"))?;
    let found = FOUND.iter().find(|found| rest.starts_with(**found)).unwrap_or(&"another value");
    Some(format!("{what}: {found}{}", wanted(rest)))
}

/// "unknown variant `…`, expected `a` or `b`", and fields likewise; "invalid length 3, expected a pair".
fn unknown(text: &str) -> Option<String> {
    let what = ["unknown variant", "unknown field"].into_iter().find(|what| text.starts_with(what));
    if let Some(what) = what {
        return Some(format!("{what}{}", wanted(text)));
    }
    let rest = text.strip_prefix("invalid length ")?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    Some(format!("invalid length {}{}", rest.get(..digits)?, wanted(rest)))
}

/// "missing field `a`" and "duplicate field `a`", whose names are the type's.
fn of_field(text: &str) -> Option<String> {
    let (what, rest) =
        text.split_once(" `").filter(|(what, _)| matches!(*what, "missing field" | "duplicate field"))?;
    let (name, rest) = rest.split_once('`')?;
    Some(format!("{what} `{name}`{}", place(rest)))
}

/// Returns the last words about what is wanted, with the place behind them. Of a text that was cut the last words may be
/// the payload's.
fn wanted(text: &str) -> &str {
    if text.ends_with(CUT) {
        return "";
    }
    WANTED.iter().find_map(|words| text.rfind(words)).and_then(|at| text.get(at..)).unwrap_or_default()
}

/// Returns the place that serde_json names: " at line 1 column 5".
fn place(text: &str) -> &str {
    let at = text.rfind(" at line ").and_then(|at| text.get(at..));
    let is_place = |place: &&str| {
        let numbers = place.trim_start_matches(" at line ").split(" column ");
        numbers.filter(|number| number.bytes().all(|byte| byte.is_ascii_digit())).count() == 2
    };
    at.filter(is_place).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phrase_of_serde_is_shown_without_the_values_in_it() {
        let table = [
            (
                r#"invalid type: string "SECRET", expected u64 at line 1 column 9"#,
                "invalid type: string, expected u64 at line 1 column 9",
            ),
            (
                r#"invalid type: string "a, expected SECRET", expected u64"#,
                "invalid type: string, expected u64",
            ),
            ("invalid type: integer `5`, expected a text", "invalid type: integer, expected a text"),
            ("invalid type: SECRET, expected a text", "invalid type: another value, expected a text"),
            ("invalid value: integer `300`, expected u8", "invalid value: integer, expected u8"),
            (
                "invalid type: null, expected u8 at line 1 column 4",
                "invalid type: null, expected u8 at line 1 column 4",
            ),
            ("invalid length 3, expected a tuple of size 2", "invalid length 3, expected a tuple of size 2"),
            ("unknown variant `SECRET`, expected `a` or `b`", "unknown variant, expected `a` or `b`"),
            ("unknown variant `SECRET`, there are no variants", "unknown variant, there are no variants"),
            (
                "unknown field `SECRET`, expected one of `a`, `b`, `c`",
                "unknown field, expected one of `a`, `b`, `c`",
            ),
            ("missing field `name` at line 3 column 1", "missing field `name` at line 3 column 1"),
            ("duplicate field `name`", "duplicate field `name`"),
            ("SECRET is no date at line 1 column 12", "the bytes do not fit the type at line 1 column 12"),
            (r#"invalid type: string "a, expected SECRET…"#, "invalid type: string"),
            ("SECRET at line SECRET column 12", "the bytes do not fit the type"),
            ("SECRET", "the bytes do not fit the type"),
            ("missing field SECRET", "the bytes do not fit the type"),
            ("", "the bytes do not fit the type"),
        ];
        for (text, shown) in table {
            assert_eq!(words(ConvertErrorKind::Decode, text), shown);
        }
        assert_eq!(words(ConvertErrorKind::Encode, "SECRET is no date"), "the value cannot be encoded");
    }

    #[test]
    fn control_characters_are_not_shown() {
        assert_eq!(
            words(ConvertErrorKind::Decode, "missing field `a\n\u{1b}[31m`"),
            "missing field `a  [31m`"
        );
    }
}
