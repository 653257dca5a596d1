//! Every shape serde knows comes back as it was sent. Knows no limits.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize, Serializer};
use serde_bytes::ByteBuf;

use super::{
    assert_survives, convert, encode,
    values::{
        Adjacent, External, Flattened, Internal, Meters, Point, Triple, UnitStruct, Untagged, external, id,
        rich,
    },
};
use crate::{ContentConverter, ConvertErrorKind};

/// A value of many shapes, one within another, comes back as it was sent.
pub fn a_rich_value_survives(converter: &impl ContentConverter) {
    assert_survives(converter, rich());
    assert_survives(converter, vec![rich(), rich()]);
}

/// Externally, internally, adjacently tagged and untagged enums come back as they were sent.
pub fn every_enum_representation_survives(converter: &impl ContentConverter) {
    let point = Point { x: 1, y: i32::MIN };
    assert_survives(converter, external());
    assert_survives(
        converter,
        vec![
            Internal::Unit,
            Internal::Newtype(point),
            Internal::Struct {
                id: id(),
                big: u64::MAX,
                small: i64::MIN,
                raw: ByteBuf::from([1, 255]),
                deep: external().into_iter().map(Some).chain([None]).collect(),
            },
        ],
    );
    assert_survives(
        converter,
        vec![
            Adjacent::Unit,
            Adjacent::Newtype(Meters(2.5)),
            Adjacent::Tuple(1, "one".to_owned()),
            Adjacent::Struct { id: id() },
        ],
    );
    assert_survives(
        converter,
        vec![
            Untagged::Number(i64::MIN),
            Untagged::Large(u64::MAX),
            Untagged::Id(id()),
            Untagged::Text("text".to_owned()),
            Untagged::Pair(1, "one".to_owned()),
            Untagged::Struct { left: point },
            Untagged::Unit,
        ],
    );
}

/// `None` and `Some` come back; an option in an option has no shape of its own and becomes `None`.
pub fn options_survive_and_nested_ones_collapse(converter: &impl ContentConverter) {
    assert_survives(converter, None::<u8>);
    assert_survives(converter, Some(vec![Some(1), None]));
    assert_survives(converter, Some(Some(External::Unit)));
    assert_survives(converter, vec![Some(Point { x: 1, y: 2 }), None]);
    assert_eq!(convert::<_, Option<Option<u8>>>(converter, &Some(None::<u8>)), None);
    assert_eq!(convert::<_, Option<()>>(converter, &Some(())), None);
}

/// Units, tuples, newtypes and characters come back as they were sent.
pub fn units_tuples_and_newtypes_survive(converter: &impl ContentConverter) {
    assert_survives(converter, ((), UnitStruct, (1u8, 'x', "text".to_owned()), Meters(1.5)));
    assert_survives(converter, Triple(1, "two".to_owned(), true));
    assert_survives(converter, [[0u16; 3]; 2]);
    assert_survives(converter, vec!['\0', 'ß', '\u{10ffff}']);
    assert_survives(converter, (true, false, String::new(), Vec::<u8>::new()));
}

/// A struct without fields has the shape of `()`.
pub fn unit_structs_are_units(converter: &impl ContentConverter) {
    assert_eq!(encode(converter, &UnitStruct), encode(converter, &()));
    let UnitStruct = convert(converter, &());
}

/// Text, integers, booleans, characters, unit variants and newtypes of those are keys.
pub fn keys_of_maps_survive(converter: &impl ContentConverter) {
    #[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    enum Key {
        North,
        South,
    }
    #[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    struct Wrapped(i64);

    assert_survives(converter, BTreeMap::from([(String::new(), 1), ("key".to_owned(), 2)]));
    assert_survives(converter, BTreeMap::from([(u64::MAX, 1), (0, 2)]));
    assert_survives(converter, BTreeMap::from([(Wrapped(i64::MIN), 1), (Wrapped(0), 2)]));
    assert_survives(converter, BTreeMap::from([(true, 1), (false, 2)]));
    assert_survives(converter, BTreeMap::from([('a', 1), ('ß', 2)]));
    assert_survives(converter, BTreeMap::from([(Key::North, 1), (Key::South, 2)]));
    assert_survives(converter, BTreeMap::from([(id(), 1)]));
    assert_survives(converter, BTreeMap::from([(1i128, 1), (-1, 2)]));
    assert_survives(converter, BTreeMap::<u8, u8>::new());
}

/// A format may have no containers as keys, and then says so.
pub fn keys_that_are_containers_survive_or_are_refused(converter: &impl ContentConverter) {
    let map = BTreeMap::from([((1u8, 2u8), 3u8)]);
    match converter.encode(&map, &mut Vec::new()) {
        Ok(()) => assert_survives(converter, map),
        Err(error) => assert_eq!(error.kind(), ConvertErrorKind::Encode),
    }
}

/// Flattened fields and a flattened map come back as they were sent.
pub fn flattened_structs_survive(converter: &impl ContentConverter) {
    let rest = BTreeMap::from([("more".to_owned(), "rest".to_owned())]);
    let value = Flattened { name: "name".to_owned(), at: Point { x: 1, y: 2 }, rest };
    assert_survives(converter, vec![value.clone(), value]);
}

/// A sequence and a map whose length is unknown beforehand come back as they were sent.
pub fn sequences_of_unknown_length_survive(converter: &impl ContentConverter) {
    struct Odd;
    impl Serialize for Odd {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_seq((0..300u16).filter(|number| number % 2 == 1))
        }
    }
    let odd: Vec<u16> = convert(converter, &Odd);
    assert_eq!(odd.len(), 150);
    assert_eq!(odd.last(), Some(&299));
}

/// UUIDs and addresses have the shape that people read, and so one shape in all formats.
pub fn identifiers_addresses_and_times_are_text(converter: &impl ContentConverter) {
    let v6 = Ipv6Addr::LOCALHOST;
    let socket = SocketAddr::from(([192, 0, 2, 7], 443));
    assert_eq!(convert::<_, String>(converter, &id()), "67e55044-10b1-426f-9247-bb680e5fe0c8");
    assert_eq!(convert::<_, String>(converter, &IpAddr::V6(v6)), "::1");
    assert_eq!(convert::<_, String>(converter, &socket), "192.0.2.7:443");
    assert_survives(converter, (id(), v6, socket, IpAddr::V6(v6)));
    assert_survives(converter, (SystemTime::UNIX_EPOCH, Duration::from_nanos(u64::MAX)));
}

/// Bytes come back, whichever of the two ways of writing and reading them is used.
pub fn bytes_survive(converter: &impl ContentConverter) {
    let all: Vec<u8> = (0..=255).collect();
    assert_survives(converter, ByteBuf::from(all.clone()));
    assert_survives(converter, all.clone());
    assert_survives(converter, ByteBuf::new());
    assert_survives(converter, Some(ByteBuf::from([0])));
    assert_eq!(convert::<_, Vec<u8>>(converter, &ByteBuf::from(all.clone())), all);
    assert_eq!(convert::<_, ByteBuf>(converter, &all), ByteBuf::from(all));
}

/// Length changes nothing: texts and bytes of many sizes come back.
pub fn long_text_and_bytes_survive(converter: &impl ContentConverter) {
    for len in [23, 24, 31, 32, 255, 256, 4095, 4096, 4097, 65_535, 65_536, 200_000] {
        assert_survives(converter, ("ß".repeat(len / 2), ByteBuf::from(vec![0xa5; len])));
        assert_survives(converter, Untagged::Text("x".repeat(len)));
    }
    assert_survives(converter, BTreeMap::from([("key".repeat(5000), 1)]));
    assert_survives(converter, (0..70_000u32).collect::<Vec<_>>());
    assert_survives(converter, (0..70_000u32).map(|n| (n, n)).collect::<BTreeMap<_, _>>());
}

/// A text can be read without a copy.
pub fn text_is_borrowed(converter: &impl ContentConverter) {
    #[derive(Serialize, Deserialize)]
    struct Borrowing<'a> {
        name: &'a str,
        nick: Option<&'a str>,
    }
    let long = "x".repeat(5000);
    let bytes = encode(converter, &Borrowing { name: &long, nick: Some("nick") });
    let value: Borrowing<'_> = converter.decode(&bytes).unwrap();
    assert_eq!(value.name, long);
    assert_eq!(value.nick, Some("nick"));
    assert!(bytes.as_ptr_range().contains(&value.name.as_ptr()));
}
