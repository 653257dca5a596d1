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

/// Bytes of a type's own words that are shown, at most.
const LONGEST: usize = 128;

/// Returns serde's phrase without the values in it, or what can be said of the kind where there is no such phrase. Of
/// phrases that may end with a value nothing else is shown.
pub(crate) fn words(kind: ConvertErrorKind, text: &str) -> Cow<'static, str> {
    match (mistaken(text).or_else(|| of_field(text)), kind) {
        // The words of a type may be its own too, and a log is no place for control characters.
        (Some(phrase), _) => {
            Cow::Owned(phrase.chars().map(|c| if c.is_control() { ' ' } else { c }).collect())
        }
        (None, ConvertErrorKind::Encode) => Cow::Borrowed("the value cannot be encoded"),
        (None, _) => Cow::Borrowed(match text {
            _ if text.starts_with("unknown variant `") => "unknown variant",
            _ if text.starts_with("unknown field `") => "unknown field",
            _ => "the bytes do not fit the type",
        }),
    }
}

/// "invalid type: string \"…\", expected u64", and values likewise; "invalid length 3, expected a pair".
fn mistaken(text: &str) -> Option<String> {
    if let Some(rest) = text.strip_prefix("invalid length ") {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let length = rest.get(..digits).filter(|length| (1..=20).contains(&length.len()))?;
        return Some(format!("invalid length {length}{}", wanted(rest)));
    }
    let (what, rest) = text.split_once(": ")?;
    let found = FOUND.iter().find(|found| rest.starts_with(**found))?;
    matches!(what, "invalid type" | "invalid value").then(|| format!("{what}: {found}{}", wanted(rest)))
}

/// "missing field `a`" and "duplicate field `a`", whose names are the type's.
fn of_field(text: &str) -> Option<String> {
    let (what, name) = text.split_once(" `")?;
    let name = name.strip_suffix('`').filter(|name| name.len() <= LONGEST)?;
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '$' | ':' | '/');
    let fits = matches!(what, "missing field" | "duplicate field") && name.chars().all(is_name);
    fits.then(|| format!("{what} `{name}`"))
}

/// Returns the last words about what is wanted, which are the type's: all that came from the payload is in front of them. Of
/// a text that was cut the last words may be the payload's.
fn wanted(text: &str) -> &str {
    let at = text.rfind(", expected ").filter(|_| !text.ends_with(CUT));
    at.and_then(|at| text.get(at..)).filter(|words| words.len() <= LONGEST).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phrase_of_serde_is_shown_without_the_values_in_it() {
        let fits = "the bytes do not fit the type";
        let table = [
            (r#"invalid type: string "SECRET", expected u64"#, "invalid type: string, expected u64"),
            (
                r#"invalid type: string "a, expected SECRET", expected u64"#,
                "invalid type: string, expected u64",
            ),
            (r#"invalid type: string "a, expected SECRET…"#, "invalid type: string"),
            ("invalid type: integer `5`, expected a text", "invalid type: integer, expected a text"),
            ("invalid type: SECRET, expected a text", fits),
            ("invalid value: integer `300`, expected u8", "invalid value: integer, expected u8"),
            ("invalid type: null, expected u8", "invalid type: null, expected u8"),
            ("invalid length 3, expected a tuple of size 2", "invalid length 3, expected a tuple of size 2"),
            ("invalid length SECRET, expected a pair", fits),
            ("unknown variant `SECRET`, expected `a` or `b`", "unknown variant"),
            ("unknown variant `x, there are no SECRET`", "unknown variant"),
            ("unknown field `x`, expected SECRET`", "unknown field"),
            ("missing field `name`", "missing field `name`"),
            ("duplicate field `name`", "duplicate field `name`"),
            ("missing field `SECRET is no date", fits),
            ("missing field `SECRET is no date`", fits),
            ("SECRET is no date at line 1 column 12", fits),
            ("x at line 1 column 2 column SECRET\r\n", fits),
            ("SECRET", fits),
            ("missing field SECRET", fits),
            ("", fits),
        ];
        for (text, shown) in table {
            assert_eq!(words(ConvertErrorKind::Decode, text), shown);
        }
        assert_eq!(words(ConvertErrorKind::Encode, "SECRET is no date"), "the value cannot be encoded");
    }

    #[test]
    fn control_characters_are_not_shown() {
        let text = "invalid type: map, expected a\r\n\u{1b}[31m";
        assert_eq!(words(ConvertErrorKind::Decode, text), "invalid type: map, expected a   [31m");
    }
}
