//! The walk through an object, apart from what a frame makes of it.

use std::borrow::Cow;

use converse_json::JsonConverter;

use crate::{rpc::wire::object::Object, session::AnyConverter};

#[test]
fn keys_values_and_slices_are_taken_as_they_stand() {
    let converter = AnyConverter::new(JsonConverter::default());
    let text =
        " { \"a\" : 1 ,\"b\\n\":[ 1 , {} ] , \"a\":\"x\",\"skipped\":{\"deep\":[]}, \"last\":null } rest";
    let mut object = Object::begin(&converter, text.as_bytes()).unwrap();
    assert!(matches!(object.next_key().unwrap(), Some(Cow::Borrowed("a"))));
    assert!(object.value::<String>().is_err());
    assert_eq!(object.value::<u8>().unwrap(), 1, "a value that did not fit is still there");
    assert_eq!(object.next_key().unwrap().as_deref(), Some("b\n"));
    assert_eq!(object.skip().unwrap(), b"[ 1 , {} ]");
    assert_eq!(object.next_key().unwrap().as_deref(), Some("a"), "a key may come twice");
    assert_eq!(object.value::<&str>().unwrap(), "x");
    assert_eq!(object.next_key().unwrap().as_deref(), Some("skipped"));
    assert_eq!(object.next_key().unwrap().as_deref(), Some("last"));
    assert!(object.rest().starts_with(b"null"));
    assert_eq!(object.next_key().unwrap(), None);
    assert_eq!(object.next_key().unwrap(), None);
    assert_eq!(object.rest(), b" rest");
}

#[test]
fn what_is_no_object_is_refused() {
    let converter = AnyConverter::new(JsonConverter::default());
    for text in ["", " ", "[]", "x{}", "\"{}\""] {
        assert!(Object::begin(&converter, text.as_bytes()).is_err(), "{text}");
    }
    for text in [
        "{",
        "{,",
        "{1:2}",
        "{\"a\"",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "{\"a\":1 \"b\":2}",
        "{\"a\":1]",
    ] {
        let mut object = Object::begin(&converter, text.as_bytes()).unwrap();
        let error = loop {
            match object.next_key() {
                Ok(Some(_)) => {}
                end => break end.is_err(),
            }
        };
        assert!(error, "{text}");
    }
}
