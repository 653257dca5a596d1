//! Types that between them show every shape serde knows. Knows no converter.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
};

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use uuid::Uuid;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Rich {
    pub(super) id: Uuid,
    pub(super) from: IpAddr,
    pub(super) name: String,
    pub(super) initial: char,
    pub(super) big: u64,
    pub(super) small: i64,
    pub(super) ratio: f64,
    pub(super) single: f32,
    pub(super) raw: ByteBuf,
    pub(super) tags: Vec<String>,
    pub(super) scores: BTreeMap<String, i32>,
    pub(super) by_number: HashMap<u32, bool>,
    pub(super) parent: Option<Box<Rich>>,
    pub(super) nothing: Option<u8>,
    pub(super) unit: (),
    pub(super) pair: (u8, String),
    pub(super) meters: Meters,
    pub(super) shapes: Vec<External>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Meters(pub(super) f64);

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Point {
    pub(super) x: i32,
    pub(super) y: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct UnitStruct;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Triple(pub(super) u8, pub(super) String, pub(super) bool);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum External {
    Unit,
    Newtype(Meters),
    Tuple(u8, String),
    Struct { left: Point, right: Option<Point> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub(super) enum Internal {
    Unit,
    Newtype(Point),
    Struct { id: Uuid, big: u64, small: i64, raw: ByteBuf, deep: Vec<Option<External>> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "t", content = "c")]
pub(super) enum Adjacent {
    Unit,
    Newtype(Meters),
    Tuple(u8, String),
    Struct { id: Uuid },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Untagged {
    Number(i64),
    Large(u64),
    Id(Uuid),
    Text(String),
    Pair(u8, String),
    Struct { left: Point },
    Unit,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Flattened {
    pub(super) name: String,
    #[serde(flatten)]
    pub(super) at: Point,
    #[serde(flatten)]
    pub(super) rest: BTreeMap<String, String>,
}

pub(super) fn id() -> Uuid {
    Uuid::from_u128(0x67e5_5044_10b1_426f_9247_bb68_0e5f_e0c8)
}

pub(super) fn external() -> Vec<External> {
    let point = Point { x: -1, y: 70_000 };
    vec![
        External::Unit,
        External::Newtype(Meters(0.5)),
        External::Tuple(255, "tuple".to_owned()),
        External::Struct { left: point, right: Some(point) },
        External::Struct { left: point, right: None },
    ]
}

pub(super) fn rich() -> Rich {
    let inner = Rich {
        id: id(),
        from: IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
        name: "κόσμε \"quoted\" \u{10ffff}\n".to_owned(),
        initial: '𝄞',
        big: u64::MAX,
        small: i64::MIN,
        ratio: -1.0e-300,
        single: 1.1,
        raw: ByteBuf::from([0, 127, 128, 255]),
        tags: vec![String::new(), "tag".to_owned()],
        scores: BTreeMap::from([("a".to_owned(), -1), ("b".to_owned(), i32::MAX)]),
        by_number: HashMap::from([(0, true), (u32::MAX, false)]),
        parent: None,
        nothing: None,
        unit: (),
        pair: (7, "pair".to_owned()),
        meters: Meters(1.0),
        shapes: external(),
    };
    Rich { parent: Some(Box::new(inner.clone())), from: IpAddr::from([192, 0, 2, 7]), ..inner }
}
