//! What a decoded value may make of memory, and what each shape is charged. Knows nothing of what is really allocated.

use std::collections::{BTreeMap, HashMap};

use serde::{
    Deserialize, Serialize,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_bytes::ByteBuf;

use super::{decode, encode, loose::Loose};
use crate::{
    ContentConverter, ConvertErrorKind,
    guard::{DEFAULT_ALLOWANCE, within},
};

const MIB: usize = 1 << 20;

/// Decodes bytes as a type, and returns what that was charged.
fn charged<T: DeserializeOwned>(converter: &impl ContentConverter, bytes: &[u8]) -> usize {
    let (value, made) = within(usize::MAX, || converter.decode::<T>(bytes));
    value.unwrap();
    made
}

/// A value takes exactly so many bytes: as many are enough, one less is not.
fn assert_takes<T: DeserializeOwned>(converter: &impl ContentConverter, bytes: &[u8], needed: usize) {
    let (value, made) = within(needed, || converter.decode::<T>(bytes));
    value.unwrap();
    assert_eq!(made, needed);
    let Some(less) = needed.checked_sub(1) else { return };
    let (refused, made) = within(less, || converter.decode::<T>(bytes).map(drop));
    let error = refused.unwrap_err();
    assert_eq!(error.kind(), ConvertErrorKind::TooLarge);
    let text = format!("the value takes more than {less} bytes of memory");
    assert!(error.to_string().contains(&text), "{error}");
    assert!(made <= less);
}

/// A mebibyte of small numbers is a vector of four, and takes no more than that.
pub fn a_mebibyte_of_small_numbers_takes_four(converter: &impl ContentConverter) {
    let bytes = encode(converter, &vec![7u32; MIB]);
    assert_takes::<Vec<u32>>(converter, &bytes, 4 * MIB);
    assert_takes::<Vec<u8>>(converter, &bytes, MIB);
    assert_eq!(decode::<Vec<u32>>(converter, &bytes).len(), MIB);
}

/// A mebibyte of text or bytes takes a mebibyte.
pub fn text_and_bytes_take_their_length(converter: &impl ContentConverter) {
    assert_takes::<String>(converter, &encode(converter, &"x".repeat(MIB)), MIB);
    assert_takes::<Loose>(converter, &encode(converter, &"x\n".repeat(1_000)), 2_000);
    let bytes = encode(converter, serde_bytes::Bytes::new(&[7; 1_000]));
    assert!((1_000..=1_024).contains(&charged::<ByteBuf>(converter, &bytes)));
}

/// Without a scope, a value may take four times its payload, or 4 MiB.
pub fn a_value_may_take_four_times_its_payload(converter: &impl ContentConverter) {
    for len in [1_000, 100_000, 2 * MIB] {
        let bytes = encode(converter, &vec![(); len]);
        let limit = DEFAULT_ALLOWANCE.max(4 * bytes.len());
        let decoded = converter.decode::<Loose>(&bytes).map(drop);
        let (_, needed) = within(usize::MAX, || converter.decode::<Loose>(&bytes));
        assert_eq!(
            decoded.map_err(|error| error.kind()),
            match needed > limit {
                true => Err(ConvertErrorKind::TooLarge),
                false => Ok(()),
            }
        );
        // 32 bytes for one that may be a single one.
        assert!(needed >= len * size_of::<Loose>() && (len == 1_000) == (needed < DEFAULT_ALLOWANCE));
    }
}

/// Several payloads share what a scope has.
pub fn payloads_share_the_scope_they_are_in(converter: &impl ContentConverter) {
    let bytes = encode(converter, &vec![7u32; 1_024]);
    let (decoded, made) = within(3 * 4_096, || {
        [(); 4].map(|()| converter.decode::<Vec<u32>>(&bytes).map(drop).map_err(|error| error.kind()))
    });
    assert_eq!(decoded, [Ok(()), Ok(()), Ok(()), Err(ConvertErrorKind::TooLarge)]);
    assert!(made <= 3 * 4_096);
    assert_eq!(decode::<Vec<u32>>(converter, &bytes).len(), 1_024);
}

/// The same holds for the first of several values.
pub fn prefixes_are_charged_too(converter: &impl ContentConverter) {
    let mut bytes = encode(converter, &vec![7u32; 1_024]);
    bytes.extend(encode(converter, &vec![7u32; 1_024]));
    let (value, made) = within(4_096, || converter.decode_prefix::<Vec<u32>>(&bytes));
    assert_eq!((value.unwrap().0.len(), made), (1_024, 4_096));
    let (refused, _) = within(4_095, || converter.decode_prefix::<Vec<u32>>(&bytes));
    assert_eq!(refused.unwrap_err().kind(), ConvertErrorKind::TooLarge);
}

/// What lies in the value itself, names of fields and what is skipped take nothing.
pub fn fixed_shapes_and_skipped_fields_take_nothing(converter: &impl ContentConverter) {
    #[derive(Serialize, Deserialize)]
    struct Outer {
        pair: (u64, [u8; 4]),
        inner: Option<Inner>,
        variant: Variant,
    }
    #[derive(Serialize, Deserialize)]
    struct Inner {
        a_name_that_is_longer_than_what_it_names: u8,
    }
    #[derive(Serialize, Deserialize)]
    enum Variant {
        Newtype(u64),
        Tuple(u8, u8),
        Struct { x: u8 },
    }
    for variant in [Variant::Newtype(1), Variant::Tuple(1, 2), Variant::Struct { x: 1 }] {
        let inner = Some(Inner { a_name_that_is_longer_than_what_it_names: 1 });
        let bytes = encode(converter, &Outer { pair: (1, [2; 4]), inner, variant });
        assert_takes::<Outer>(converter, &bytes, 0);
    }

    #[derive(Serialize)]
    struct Newer(HashMap<&'static str, Vec<HashMap<String, String>>>);
    #[derive(Deserialize)]
    struct Older {}
    let table = HashMap::from([("text".repeat(100), "text".repeat(1_000))]);
    let bytes = encode(converter, &Newer(HashMap::from([("new", vec![table; 10])])));
    assert_takes::<Older>(converter, &bytes, 0);
    assert_takes::<IgnoredAny>(converter, &bytes, 0);
}

/// Maps are charged as the hash tables and trees that they are.
pub fn maps_take_what_tables_and_trees_take(converter: &impl ContentConverter) {
    let map: BTreeMap<u32, u32> = (0..1_000).map(|key| (key, key)).collect();
    let bytes = encode(converter, &map);
    // 1,000 entries have 2,048 buckets.
    assert_eq!(charged::<HashMap<u32, u32>>(converter, &bytes), 2_048 * 9);
    // A tree has at most one node for five entries.
    let tree = charged::<BTreeMap<u32, u32>>(converter, &bytes);
    assert!((1_000 * 8 * 2..1_000 * 8 * 4).contains(&tree), "{tree}");
    let one = encode(converter, &BTreeMap::from([(1u8, 1u8)]));
    assert_takes::<BTreeMap<u8, u8>>(converter, &one, 11 * 2 + 16);
    assert_takes::<HashMap<u8, u8>>(converter, &one, 4 * 3);
}

/// A value behind a pointer takes its own size beside the pointer's.
pub fn boxes_take_what_they_hold(converter: &impl ContentConverter) {
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Big {
        _held: [u64; 32],
    }
    let bytes = encode(converter, &vec![BTreeMap::<String, u8>::new(); 1_024]);
    let vector = 1_024 * size_of::<usize>();
    assert_takes::<Vec<Box<Big>>>(converter, &bytes, vector + 1_024 * size_of::<Big>());
    assert_takes::<Vec<Option<Box<Big>>>>(converter, &bytes, vector + 1_024 * size_of::<Big>());
    assert_takes::<Vec<Big>>(converter, &bytes, 1_024 * size_of::<Big>());

    #[derive(Serialize, Deserialize)]
    struct Node {
        #[serde(skip)]
        _held: [u64; 16],
        next: Option<Box<Node>>,
    }
    let chain = (0..40).fold(None, |next, _| Some(Box::new(Node { _held: [0; 16], next })));
    assert_takes::<Node>(converter, &encode(converter, &chain), 39 * size_of::<Node>());

    #[derive(Serialize, Deserialize)]
    enum List {
        End,
        Next(Box<List>, u64),
    }
    let list = (0..20).fold(List::End, |next, _| List::Next(Box::new(next), 1));
    assert_takes::<List>(converter, &encode(converter, &list), 20 * size_of::<List>());
}

/// What serde buffers, for untagged enums and flattened fields, is charged as its buffer.
pub fn what_serde_buffers_is_charged(converter: &impl ContentConverter) {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Untagged {
        Numbers(#[allow(dead_code)] Vec<u8>),
    }
    #[derive(Deserialize)]
    struct Flat {
        #[serde(flatten)]
        _rest: HashMap<String, u8>,
    }
    let bytes = encode(converter, &vec![7u8; 1_024]);
    assert!(charged::<Untagged>(converter, &bytes) >= 1_024 * 16);
    let map: BTreeMap<String, u8> = (0..100).map(|key| (key.to_string(), 1)).collect();
    let bytes = encode(converter, &map);
    assert!(charged::<Flat>(converter, &bytes) >= 100 * 32);
    let (refused, made) = within(1_000, || converter.decode::<Flat>(&bytes).map(drop));
    assert_eq!(refused.unwrap_err().kind(), ConvertErrorKind::TooLarge);
    assert!(made <= 1_000);
}
