//! Whether what is charged is what is really allocated. Knows no format.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fmt::Debug,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{decode_error, encode, loose::Loose, memory::Meter};
use crate::{
    ContentConverter, ConvertErrorKind,
    guard::{DEFAULT_ALLOWANCE, within},
};

/// What may be allocated beside what is charged.
const SLACK: usize = 64 << 10;

/// What a type may allocate for a size hint before its first element is asked for.
const HINTED: usize = 1 << 20;

/// The hundredths of what is charged that a single large vector or table takes while it is moved as it grows.
const GROWING: usize = 155;

/// Measures one shape after another.
struct Scales<'a, C> {
    converter: &'a C,
    meter: Meter,
}

/// What a value allocates at most is what was charged for it, for all shapes of which [`guard`](crate::guard) says so.
///
/// Prints what it measured. No other test may run at the same time in the process.
pub fn what_is_charged_is_what_is_allocated(converter: &impl ContentConverter, meter: Meter) {
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Big {
        _held: [u64; 32],
    }
    let scales = Scales { converter, meter };
    let table: HashMap<u32, u32> = (0..60_000).map(|key| (key, key)).collect();
    let tree: BTreeMap<String, u8> = (0..30_000).map(|key| (format!("{key:010}"), 1)).collect();
    let small_trees = vec![BTreeMap::from([("key", 1)]); 5_000];
    let texts: Vec<String> = (0..20_000).map(|at| format!("number {at}")).collect();

    // A vector that is moved while it grows is there twice, as the allocator counts it; most move pages instead.
    scales.weigh::<Vec<u32>>("Vec<u32>", GROWING, &vec![7u32; 300_000]);
    scales.weigh::<Vec<u8>>("Vec<u8>", GROWING, &vec![7u32; 300_000]);
    scales.weigh::<String>("String", 110, &"x".repeat(1 << 20));
    scales.weigh::<Vec<String>>("Vec<String>", GROWING, &texts);
    scales.weigh::<Vec<Vec<Vec<u8>>>>("Vec<Vec<Vec<u8>>>", 110, &vec![vec![vec![1u8; 3]; 10]; 3_000]);
    scales.weigh::<Vec<Box<Big>>>("Vec<Box<Big>>", 110, &vec![BTreeMap::<String, u8>::new(); 5_000]);
    scales.weigh::<Loose>("any, of nulls", GROWING, &vec![(); 70_000]);
    scales.weigh::<Vec<Loose>>("Vec<any>", GROWING, &vec![(); 70_000]);
    scales.weigh::<Loose>("any, of small maps", 110, &small_trees);
    scales.weigh::<Loose>("any, of a map", 110, &tree);
    scales.weigh::<BTreeMap<String, Loose>>("BTreeMap<String, any>", 110, &tree);
    // While a table grows, the old one is there too. That is refused over the limit, but not counted afterwards.
    scales.weigh::<HashMap<u32, u32>>("HashMap<u32, u32>", GROWING, &table);
    // Sets are read as sequences, and so are charged as vectors.
    scales.weigh::<HashSet<u32>>("HashSet<u32>", 400, table.keys().collect::<Vec<_>>().as_slice());
    scales.weigh::<BTreeSet<String>>("BTreeSet<String>", 280, tree.keys().collect::<Vec<_>>().as_slice());
}

/// A payload that becomes much larger costs no more than its allowance.
///
/// No other test may run at the same time in the process.
pub fn what_is_refused_has_allocated_no_more_than_the_allowance(
    converter: &impl ContentConverter,
    meter: Meter,
) {
    let scales = Scales { converter, meter };
    let nulls = encode(converter, &vec![(); 1 << 20]);
    let maps = encode(converter, &vec![BTreeMap::from([("", ())]); 1 << 18]);
    for bytes in [nulls, maps] {
        let limit = DEFAULT_ALLOWANCE.max(4 * bytes.len());
        let (kind, peak) = scales.peak(|| decode_error::<Loose>(converter, &bytes));
        println!("{:9} bytes, refused: {peak} allocated of {limit}", bytes.len());
        assert_eq!(kind, ConvertErrorKind::TooLarge);
        assert!(peak <= limit / 100 * GROWING + SLACK);
    }
}

impl<C: ContentConverter> Scales<'_, C> {
    /// Runs something, and returns the most it had allocated at once.
    fn peak<R>(&self, run: impl FnOnce() -> R) -> (R, usize) {
        let before = (self.meter.current)();
        (self.meter.reset)();
        let value = run();
        (value, (self.meter.peak)().saturating_sub(before))
    }

    /// Decodes a value, and asserts that it allocates at most so many hundredths of what is charged; then with half of
    /// that, which is refused, and of which the same holds.
    fn weigh<T: DeserializeOwned>(
        &self,
        name: &str,
        hundredths: usize,
        value: &(impl Serialize + Debug + ?Sized),
    ) {
        let bytes = encode(self.converter, value);
        let ((value, made), peak) =
            self.peak(|| within(usize::MAX, || self.converter.decode::<T>(&bytes).map(drop)));
        value.unwrap();
        println!("{name:24} {:9} bytes, charged {made:9}, allocated {peak:9}", bytes.len());
        assert!(peak <= made / 100 * hundredths + SLACK, "{name}: {peak} bytes for {made}");

        let ((value, _), peak) =
            self.peak(|| within(made / 2, || self.converter.decode::<T>(&bytes).map(drop)));
        assert_eq!(value.unwrap_err().kind(), ConvertErrorKind::TooLarge, "{name}");
        assert!(peak <= made / 200 * hundredths + SLACK + HINTED, "{name}: {peak} bytes for {}", made / 2);
    }
}
