//! How deep values may nest. Knows nothing of damage.
//!
//! Payloads deeper than a converter would write are spliced out of ones it writes: what surrounds a value is
//! taken from the encoding of a value that holds it. A format whose containers depend on their content's
//! length cannot be spliced; there the tests of decoding are left out.

use std::{collections::HashMap, ops::Range};

use serde::{
    Deserialize, Serialize, Serializer,
    de::IgnoredAny,
    ser::{
        SerializeMap, SerializeStruct, SerializeStructVariant, SerializeTuple, SerializeTupleStruct,
        SerializeTupleVariant,
    },
};

use super::{assert_survives, decode_error, encode, encode_error};
use crate::{ContentConverter, ConvertErrorKind, guard::MAX_CONTAINERS};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Nest(Vec<Nest>);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Variant {
    End,
    Newtype(Box<Variant>),
    Struct { inner: Box<Variant> },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Link {
    next: Option<Box<Link>>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Table(HashMap<String, Table>);

/// Puts a value into a container `levels` times.
fn nest<T>(end: T, levels: u8, wrap: impl Fn(T) -> T) -> T {
    (0..levels).fold(end, |inner, _| wrap(inner))
}

fn nest_of(containers: u8) -> Nest {
    nest(Nest(Vec::new()), containers - 1, |inner| Nest(vec![inner]))
}

fn link_of(containers: u8) -> Link {
    nest(Link { next: None }, containers - 1, |inner| Link { next: Some(Box::new(inner)) })
}

fn table_of(containers: u8) -> Table {
    nest(Table(HashMap::new()), containers - 1, |inner| Table(HashMap::from([("key".to_owned(), inner)])))
}

/// A container's bytes before and behind a value it holds.
struct Around {
    before: Vec<u8>,
    behind: Vec<u8>,
}

impl Around {
    /// Takes them from an encoding that holds another once.
    fn of(outer: &[u8], inner: &[u8]) -> Option<Self> {
        let Range { start, end } = (0..=outer.len().checked_sub(inner.len())?)
            .map(|start| start..start + inner.len())
            .rfind(|range| &outer[range.clone()] == inner)?;
        Some(Self { before: outer[..start].to_vec(), behind: outer[end..].to_vec() })
    }

    fn repeated(&self, times: usize, inner: &[u8]) -> Vec<u8> {
        [&*self.before.repeat(times), inner, &*self.behind.repeat(times)].concat()
    }
}

/// Nests bytes as a type does, if the format can be spliced. Takes values of one, two and three levels.
fn deep<T: Serialize>(converter: &impl ContentConverter, values: [T; 3], levels: usize) -> Option<Vec<u8>> {
    let [one, two, three] = values.map(|value| encode(converter, &value));
    let around = Around::of(&two, &one)?;
    (around.repeated(2, &one) == three).then(|| around.repeated(levels - 1, &one))
}

pub(super) fn deep_nest(converter: &impl ContentConverter, levels: usize) -> Option<Vec<u8>> {
    deep(converter, [1, 2, 3].map(nest_of), levels)
}

/// 64 containers within one another are fine both ways, whatever `Some` and newtypes are between them.
pub fn containers_nest_64_deep(converter: &impl ContentConverter) {
    assert_survives(converter, nest_of(MAX_CONTAINERS));
    assert_survives(converter, link_of(MAX_CONTAINERS));
    assert_survives(converter, table_of(MAX_CONTAINERS));
}

/// As many containers as may be, each in as many newtypes as may be, leave room on a thread's stack.
pub fn the_deepest_value_fits_the_stack(converter: &impl ContentConverter) {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Layer<T>(T);
    type Layers<T> = Layer<Layer<Layer<Layer<Layer<T>>>>>;
    fn layers<T>(inner: T) -> Layers<T> {
        Layer(Layer(Layer(Layer(Layer(inner)))))
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Deepest(Layers<Layers<Layers<Vec<Deepest>>>>);
    impl Deepest {
        fn of(elements: Vec<Deepest>) -> Self {
            Self(layers(layers(layers(elements))))
        }
    }

    let value = nest(Deepest::of(Vec::new()), MAX_CONTAINERS - 1, |inner| Deepest::of(vec![inner]));
    assert_survives(converter, value);
    assert_eq!(encode_error(converter, &Layer(Deepest::of(Vec::new()))), ConvertErrorKind::TooDeep);
}

/// A variant with content is a map of one entry, and what it holds may be a container of its own.
pub fn variants_nest_64_deep(converter: &impl ContentConverter) {
    let newtypes = nest(Variant::End, MAX_CONTAINERS, |inner| Variant::Newtype(Box::new(inner)));
    let structs = nest(Variant::End, MAX_CONTAINERS / 2, |inner| Variant::Struct { inner: Box::new(inner) });
    assert_survives(converter, newtypes);
    assert_survives(converter, structs);
}

/// The 65th container is refused both ways.
pub fn containers_65_deep_are_refused(converter: &impl ContentConverter) {
    const MORE: u8 = MAX_CONTAINERS + 1;
    assert_eq!(encode_error(converter, &nest_of(MORE)), ConvertErrorKind::TooDeep);
    assert_eq!(encode_error(converter, &link_of(MORE)), ConvertErrorKind::TooDeep);
    assert_eq!(encode_error(converter, &table_of(MORE)), ConvertErrorKind::TooDeep);
    if let Some(bytes) = deep_nest(converter, MORE.into()) {
        assert_eq!(decode_error::<Nest>(converter, &bytes), ConvertErrorKind::TooDeep);
    }
    if let Some(bytes) = deep(converter, [1, 2, 3].map(link_of), MORE.into()) {
        assert_eq!(decode_error::<Link>(converter, &bytes), ConvertErrorKind::TooDeep);
    }
    if let Some(bytes) = deep(converter, [1, 2, 3].map(table_of), MORE.into()) {
        assert_eq!(decode_error::<Table>(converter, &bytes), ConvertErrorKind::TooDeep);
    }
}

/// The 65th container is refused both ways if it is a variant.
pub fn variants_65_deep_are_refused(converter: &impl ContentConverter) {
    let newtypes = |levels| nest(Variant::End, levels, |inner| Variant::Newtype(Box::new(inner)));
    let structs = |levels| nest(Variant::End, levels, |inner| Variant::Struct { inner: Box::new(inner) });

    assert_eq!(encode_error(converter, &newtypes(65)), ConvertErrorKind::TooDeep);
    assert_eq!(encode_error(converter, &structs(33)), ConvertErrorKind::TooDeep);
    if let Some(bytes) = deep(converter, [0, 1, 2].map(newtypes), 66) {
        assert_eq!(decode_error::<Variant>(converter, &bytes), ConvertErrorKind::TooDeep);
    }
    if let Some(bytes) = deep(converter, [0, 1, 2].map(structs), 34) {
        assert_eq!(decode_error::<Variant>(converter, &bytes), ConvertErrorKind::TooDeep);
    }
}

/// No depth of a payload uses up the stack.
pub fn a_hundred_thousand_levels_are_refused(converter: &impl ContentConverter) {
    if let Some(bytes) = deep_nest(converter, 100_000) {
        assert_eq!(decode_error::<Nest>(converter, &bytes), ConvertErrorKind::TooDeep);
        assert_eq!(decode_error::<IgnoredAny>(converter, &bytes), ConvertErrorKind::TooDeep);
    }
    if let Some(bytes) = deep(converter, [1, 2, 3].map(table_of), 100_000) {
        assert_eq!(decode_error::<Table>(converter, &bytes), ConvertErrorKind::TooDeep);
        assert_eq!(decode_error::<IgnoredAny>(converter, &bytes), ConvertErrorKind::TooDeep);
    }
}

/// A field that the type does not know is no way around the limit.
pub fn depth_is_counted_in_skipped_fields(converter: &impl ContentConverter) {
    #[derive(Serialize)]
    struct Holder {
        unknown: Nest,
    }
    #[derive(Debug, Deserialize)]
    struct Empty {}

    let outer = encode(converter, &Holder { unknown: nest_of(1) });
    let Some(around) = Around::of(&outer, &encode(converter, &nest_of(1))) else { return };
    let holding = |levels| deep_nest(converter, levels).map(|bytes| around.repeated(1, &bytes));

    if let Some(bytes) = holding(63) {
        assert!(converter.decode::<Empty>(&bytes).is_ok());
    }
    for bytes in [64, 100_000].into_iter().filter_map(holding) {
        assert_eq!(decode_error::<Empty>(converter, &bytes), ConvertErrorKind::TooDeep);
    }
}

/// What serde buffers to find out the variant is no way around the limit.
pub fn depth_is_counted_where_serde_buffers(converter: &impl ContentConverter) {
    #[derive(Debug, Deserialize)]
    #[serde(untagged)]
    enum Buffered {
        Nest(#[allow(dead_code)] Nest),
    }
    assert!(converter.decode::<Buffered>(&encode(converter, &nest_of(64))).is_ok());
    for bytes in [65, 100_000].into_iter().filter_map(|levels| deep_nest(converter, levels)) {
        assert_eq!(decode_error::<Buffered>(converter, &bytes), ConvertErrorKind::TooDeep);
    }
}

/// A type that reads itself without reading a byte comes to an end.
pub fn a_type_that_only_wraps_itself_is_refused(converter: &impl ContentConverter) {
    #[derive(Debug, Serialize, Deserialize)]
    struct Endless(Option<Box<Endless>>);

    let value = nest(Endless(None), 100, |inner| Endless(Some(Box::new(inner))));
    assert_eq!(encode_error(converter, &value), ConvertErrorKind::TooDeep);
    assert_eq!(decode_error::<Endless>(converter, &encode(converter, &1)), ConvertErrorKind::TooDeep);
}

/// A value that holds itself, in a container or layer of the sort its number says.
struct Cycle(u8);

impl Serialize for Cycle {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            0 => serializer.collect_seq([self]),
            1 => serializer.collect_map([("key", self)]),
            2 => serializer.serialize_some(self),
            3 => serializer.serialize_newtype_struct("Cycle", self),
            4 => serializer.serialize_newtype_variant("Cycle", 0, "Variant", self),
            5 => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_key("key")?;
                map.serialize_value(self)?;
                map.end()
            }
            6 => {
                let mut tuple = serializer.serialize_tuple(1)?;
                tuple.serialize_element(self)?;
                tuple.end()
            }
            7 => {
                let mut tuple = serializer.serialize_tuple_struct("Cycle", 1)?;
                tuple.serialize_field(self)?;
                tuple.end()
            }
            8 => {
                let mut tuple = serializer.serialize_tuple_variant("Cycle", 0, "Variant", 1)?;
                tuple.serialize_field(self)?;
                tuple.end()
            }
            9 => {
                let mut fields = serializer.serialize_struct("Cycle", 1)?;
                fields.serialize_field("field", self)?;
                fields.end()
            }
            _ => {
                let mut fields = serializer.serialize_struct_variant("Cycle", 0, "Variant", 1)?;
                fields.serialize_field("field", self)?;
                fields.end()
            }
        }
    }
}

/// A value that never ends, as one with a cycle in it, is refused before the stack is used up.
pub fn a_value_without_end_is_not_encoded(converter: &impl ContentConverter) {
    for sort in 0..=10 {
        assert_eq!(encode_error(converter, &Cycle(sort)), ConvertErrorKind::TooDeep, "sort {sort}");
    }
}
