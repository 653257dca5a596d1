//! Values and bytes nobody thought of. Knows only how to make them.

use proptest::{
    arbitrary::any,
    collection::{btree_map, vec},
    num, option,
    strategy::{Just, Strategy},
    test_runner::{Config, TestRunner},
};
use serde::{Deserialize, Serialize};

use super::{assert_survives, hostile::decode_as_anything, values::Point};
use crate::ContentConverter;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Tree {
    Unit,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Single(f32),
    Char(char),
    Text(String),
    Bytes(serde_bytes::ByteBuf),
    Point(Point),
    Optional(Option<Box<Tree>>),
    List(Vec<Tree>),
    Map(std::collections::BTreeMap<String, Tree>),
    Pair(Box<Tree>, i32),
    Struct { left: Box<Tree>, right: Box<Tree> },
}

pub(super) fn tree() -> impl Strategy<Value = Tree> {
    use Strategy as _;
    let leaf = proptest::prop_oneof![
        Just(Tree::Unit),
        any::<bool>().prop_map(Tree::Bool),
        any::<u64>().prop_map(Tree::Unsigned),
        any::<i64>().prop_map(Tree::Signed),
        (num::f64::NORMAL | num::f64::SUBNORMAL | num::f64::ZERO).prop_map(Tree::Float),
        (num::f32::NORMAL | num::f32::SUBNORMAL | num::f32::ZERO).prop_map(Tree::Single),
        any::<char>().prop_map(Tree::Char),
        any::<String>().prop_map(Tree::Text),
        vec(any::<u8>(), 0..40).prop_map(|bytes| Tree::Bytes(bytes.into())),
        (any::<i32>(), any::<i32>()).prop_map(|(x, y)| Tree::Point(Point { x, y })),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        let boxed = inner.clone().prop_map(Box::new);
        proptest::prop_oneof![
            option::of(boxed.clone()).prop_map(Tree::Optional),
            vec(inner.clone(), 0..6).prop_map(Tree::List),
            btree_map(any::<String>(), inner, 0..6).prop_map(Tree::Map),
            (boxed.clone(), any::<i32>()).prop_map(|(left, right)| Tree::Pair(left, right)),
            (boxed.clone(), boxed).prop_map(|(left, right)| Tree::Struct { left, right }),
        ]
    })
}

pub(super) fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() })
}

/// Whatever the bytes are, they lead to a value or an error.
pub fn arbitrary_bytes_never_panic(converter: &impl ContentConverter) {
    let outcome = runner(2_000).run(&vec(any::<u8>(), 0..200), |bytes| {
        decode_as_anything(converter, &bytes);
        Ok(())
    });
    assert_eq!(outcome, Ok(()));
}

/// Whatever the value is, it comes back as it was sent.
pub fn arbitrary_values_survive(converter: &impl ContentConverter) {
    let outcome = runner(300).run(&tree(), |value| {
        assert_survives(converter, value);
        Ok(())
    });
    assert_eq!(outcome, Ok(()));
}
