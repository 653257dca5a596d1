//! What happens when the two peers' types are not the same. Knows no hostile bytes.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};

use super::{
    convert, decode_error, encode,
    values::{External, Point, Rich, rich},
};
use crate::{ContentConverter, ConvertErrorKind};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Old {
    x: i32,
    y: i32,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct New {
    extra: Rich,
    y: i32,
    more: Option<Vec<External>>,
    x: i32,
    #[serde(default)]
    defaulted: u8,
}

fn new() -> New {
    New { extra: rich(), y: 2, more: Some(vec![External::Unit]), x: 1, defaulted: 9 }
}

/// Fields that were added later are skipped, whatever is in them.
pub fn unknown_fields_are_ignored(converter: &impl ContentConverter) {
    assert_eq!(convert::<_, Old>(converter, &new()), Old { x: 1, y: 2 });
    assert_eq!(convert::<_, Vec<Old>>(converter, &[new(), new()]).len(), 2);
}

/// Fields are known by name, not by place.
pub fn fields_come_in_any_order(converter: &impl ContentConverter) {
    let fields = BTreeMap::from([("y", 2), ("x", 1)]);
    assert_eq!(convert::<_, Old>(converter, &fields), Old { x: 1, y: 2 });
    assert_eq!(convert::<_, Point>(converter, &Old { x: 1, y: 2 }), Point { x: 1, y: 2 });
}

/// A field that an older peer does not send is `None`, or the default the type asks for.
pub fn missing_optional_fields_take_their_default(converter: &impl ContentConverter) {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Newer {
        x: i32,
        more: Option<Vec<External>>,
        #[serde(default)]
        defaulted: u8,
    }
    let value: Newer = convert(converter, &Old { x: 1, y: 2 });
    assert_eq!(value, Newer { x: 1, more: None, defaulted: 0 });
}

/// A field that has no default must be there.
pub fn missing_required_fields_are_refused(converter: &impl ContentConverter) {
    let bytes = encode(converter, &Old { x: 1, y: 2 });
    assert_eq!(decode_error::<New>(converter, &bytes), ConvertErrorKind::Decode);
}

/// A variant that was added later cannot be read.
pub fn unknown_variants_are_refused(converter: &impl ContentConverter) {
    #[derive(Serialize)]
    enum Newer {
        Added,
        Content(u8),
    }
    for newer in [Newer::Added, Newer::Content(1)] {
        let bytes = encode(converter, &newer);
        assert_eq!(decode_error::<External>(converter, &bytes), ConvertErrorKind::Decode);
    }
}

/// A map that has the key `x` twice.
struct Doubled;

impl Serialize for Doubled {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        for (key, value) in [("x", 1), ("y", 2), ("x", 3)] {
            map.serialize_entry(key, &value)?;
        }
        map.end()
    }
}

/// A field that comes twice is an error: readers disagree which one counts.
pub fn duplicate_fields_are_refused(converter: &impl ContentConverter) {
    assert_eq!(decode_error::<Old>(converter, &encode(converter, &Doubled)), ConvertErrorKind::Decode);
}

/// In a map, the last entry of a key is the one that counts.
pub fn the_last_of_duplicate_map_keys_wins(converter: &impl ContentConverter) {
    assert_eq!(convert::<_, HashMap<String, i32>>(converter, &Doubled)["x"], 3);
    assert_eq!(convert::<_, BTreeMap<String, i32>>(converter, &Doubled)["x"], 3);
}
