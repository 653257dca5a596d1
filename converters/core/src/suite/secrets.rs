//! Values that no error may quote: what is logged and sent to peers shows none of the payload; the detail may.

use std::{collections::BTreeMap, error::Error as _, fmt::Debug};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::Error as _};

use super::encode;
use crate::{ContentConverter, ConvertError};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Strict {
    #[serde(rename = "id")]
    _id: u64,
}

#[derive(Debug, Deserialize)]
enum Choice {
    #[serde(rename = "one")]
    _One,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Debug, Deserialize)]
enum Never {}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Flat {
    #[serde(flatten)]
    _inner: Inner,
}

#[derive(Debug, Deserialize)]
struct Inner {
    #[serde(rename = "a")]
    _a: Option<u8>,
}

/// A type whose own errors quote values.
#[derive(Debug)]
struct Picky;

impl Serialize for Picky {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(S::Error::custom("SECRET is not to be sent"))
    }
}

impl<'de> Deserialize<'de> for Picky {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Err(D::Error::custom(format_args!("{text} is no date")))
    }
}

/// Checks what is shown of an error, and returns its detail.
fn hides<T: Debug>(result: Result<T, ConvertError>) -> String {
    let error = result.unwrap_err();
    let shown = format!("{error} {error:?} {:?}", error.source());
    assert!(!shown.contains("SECRET") && !shown.contains("47"), "{shown}");
    assert!(!shown.contains(char::is_control), "{shown:?}");
    error.detail().to_owned()
}

/// An error says what was wrong without the value.
pub fn error_texts_quote_no_values(converter: &impl ContentConverter) {
    let text = encode(converter, &"SECRET 47");
    hides(converter.decode::<u64>(&text));
    hides(converter.decode::<Choice>(&text));
    hides(converter.decode::<Vec<u8>>(&text));
    assert!(hides(converter.decode::<Picky>(&text)).contains("SECRET 47 is no date"));
    hides(converter.decode::<Strict>(&encode(converter, &BTreeMap::from([("SECRET", 47)]))));
    hides(converter.decode::<Strict>(&encode(converter, &BTreeMap::from([("id", "SECRET")]))));
    hides(converter.decode::<String>(&encode(converter, &47)));
    hides(converter.decode::<bool>(&encode(converter, &47)));
    hides(converter.decode::<i8>(&encode(converter, &4747)));
    hides(converter.decode::<u8>(&encode(converter, &47.47)));
    hides(converter.decode::<u64>(&encode(converter, &format!("{}, expected SECRET", "x".repeat(1014)))));
    assert!(hides(converter.encode(&Picky, &mut Default::default())).contains("SECRET is not to be sent"));
    let wrong = converter.decode::<Strict>(&encode(converter, &BTreeMap::<String, u8>::new())).unwrap_err();
    assert!(wrong.to_string().starts_with("missing field `id`"), "{wrong}");
}

/// A value that pretends to be the words of a type, or a place, is not shown.
pub fn values_that_look_like_words_are_not_quoted(converter: &impl ContentConverter) {
    for text in [
        "x, expected SECRET",
        "x`, expected `SECRET",
        "x, there are no SECRET",
        "x at line SECRET\r\n",
        "x at line 1 column 2 column SECRET\r\n",
        "missing field `SECRET",
    ] {
        let key = encode(converter, &BTreeMap::from([(text, 1)]));
        hides(converter.decode::<Nothing>(&key));
        hides(converter.decode::<Flat>(&key));
        hides(converter.decode::<Never>(&key));
        let text = encode(converter, &text);
        hides(converter.decode::<Never>(&text));
        hides(converter.decode::<Picky>(&text));
    }
}
