//! The work of a format alone: values decoded and encoded in a loop, without a connection.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use converse_benches::{
    Result,
    typed::{Cbor, Chat, Format, Json, MessagePack, Room},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::cell::Name;

/// How long the loop runs.
const TIME: Duration = Duration::from_millis(40);

/// Returns the CPU time of decoding and encoding a value, in microseconds.
///
/// # Errors
/// When the format refuses.
pub fn work(format: Name, large: bool) -> Result<f64> {
    let payloads = format.payloads(large)?;
    match (format, large) {
        (Name::Json, false) => turn::<Json, Chat>(&payloads),
        (Name::Json, true) => turn::<Json, Room>(&payloads),
        (Name::MessagePack, false) => turn::<MessagePack, Chat>(&payloads),
        (Name::MessagePack, true) => turn::<MessagePack, Room>(&payloads),
        (Name::Cbor, false) => turn::<Cbor, Chat>(&payloads),
        (Name::Cbor, true) => turn::<Cbor, Room>(&payloads),
    }
}

fn turn<F: Format, T: Serialize + DeserializeOwned>(payloads: &[Vec<u8>]) -> Result<f64> {
    let clock = converse_benches::clock::CpuClock::of_this_thread();
    let (start, before, mut count) = (Instant::now(), clock.now(), 0);
    while start.elapsed() < TIME {
        for payload in payloads {
            let value: T = F::decode(black_box(payload))?;
            black_box(F::encode(&value)?);
            count += 1;
        }
    }
    Ok((clock.now() - before).as_secs_f64() * 1e6 / f64::from(count))
}
