//! What lengths that promise more than there is may cost. Knows no format: the bytes are handed in.

use std::collections::HashMap;

use serde::{Deserialize, de::DeserializeOwned};
use serde_bytes::ByteBuf;

use super::values::{External, Internal, Rich, Untagged};
use crate::ContentConverter;

/// The bytes that decoding a nested lie of some kilobytes may allocate.
const NESTED_LIMIT: usize = 1 << 20;

/// The bytes that decoding a lie of a few bytes may allocate.
const LONE_LIMIT: usize = 1 << 16;

/// A counting global allocator, as the suite sees it.
#[derive(Clone, Copy, Debug)]
pub struct Meter {
    /// Forgets the peak so far.
    pub reset: fn(),
    /// Returns the bytes allocated at present.
    pub current: fn() -> usize,
    /// Returns the most bytes that were allocated at once since the last `reset`.
    pub peak: fn() -> usize,
}

/// A length in a payload costs memory only as far as bytes follow.
///
/// `lies` are headers that declare far more elements, entries or bytes than follow, one for each kind the format
/// has. Each is tried alone and repeated to 5,000 bytes. No other test may run at the same time in the process.
pub fn lying_lengths_cost_no_memory(converter: &impl ContentConverter, lies: &[&[u8]], meter: Meter) {
    for lie in lies {
        let nested = lie.repeat(5_000 / lie.len());
        for (bytes, limit) in [(*lie, LONE_LIMIT), (&*nested, NESTED_LIMIT)] {
            let peak = peak_of_all_types(converter, bytes, meter);
            assert!(peak < limit, "{peak} bytes for {} of {lie:02x?}", bytes.len());
        }
    }
}

fn peak_of_all_types(converter: &impl ContentConverter, bytes: &[u8], meter: Meter) -> usize {
    #[derive(Deserialize)]
    struct Nest(#[allow(dead_code)] Vec<Nest>);
    #[derive(Deserialize)]
    struct Wide(#[allow(dead_code)] Vec<(Wide, [u64; 8])>);
    #[derive(Deserialize)]
    struct Table(#[allow(dead_code)] HashMap<u32, Table>);
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Buffered {
        Nest(#[allow(dead_code)] Nest),
        Table(#[allow(dead_code)] Table),
    }

    [
        peak_of::<Nest>(converter, bytes, meter),
        peak_of::<Wide>(converter, bytes, meter),
        peak_of::<Table>(converter, bytes, meter),
        peak_of::<Buffered>(converter, bytes, meter),
        peak_of::<String>(converter, bytes, meter),
        peak_of::<ByteBuf>(converter, bytes, meter),
        peak_of::<Vec<u8>>(converter, bytes, meter),
        peak_of::<Vec<String>>(converter, bytes, meter),
        peak_of::<Vec<[u64; 16]>>(converter, bytes, meter),
        peak_of::<HashMap<String, ByteBuf>>(converter, bytes, meter),
        peak_of::<Vec<External>>(converter, bytes, meter),
        peak_of::<Internal>(converter, bytes, meter),
        peak_of::<Untagged>(converter, bytes, meter),
        peak_of::<Rich>(converter, bytes, meter),
    ]
    .into_iter()
    .max()
    .unwrap_or_default()
}

fn peak_of<T: DeserializeOwned>(converter: &impl ContentConverter, bytes: &[u8], meter: Meter) -> usize {
    let before = (meter.current)();
    (meter.reset)();
    let outcome = converter.decode::<T>(bytes);
    // A value that another one follows may be no lie.
    let _ = converter.decode_prefix::<T>(bytes);
    let _ = converter.prefix_len(bytes);
    let peak = (meter.peak)().saturating_sub(before);
    assert!(outcome.is_err(), "{bytes:02x?} is a lie");
    peak
}
