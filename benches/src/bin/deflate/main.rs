//! Measures permessage-deflate (RFC 7692) beside its peers, and writes `RESULTS-deflate.md`.
//!
//! With an argument, only the contenders whose name contains it are measured, and the results are only printed.

mod codec;
mod echo;
mod idle;
mod peers;
mod report;

use std::{env, fs};

use converse_benches::{Result, heap::Counting, payload::Traffic};

#[global_allocator]
static HEAP: Counting = Counting;

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == idle::CLIENTS) {
        return idle::clients(&arguments[1..]);
    }
    let only = arguments.join(" ");
    let mut contenders = peers::all();
    contenders.retain(|contender| contender.name().contains(&only));
    let mut codecs = codec::all();
    codecs.retain(|codec| codec.name.contains(&only));
    let results = report::Results {
        bare: idle::measure(&peers::bare())?,
        idle: contenders.iter().map(idle::measure).collect(),
        echoes: Traffic::ALL.map(|traffic| (traffic, echo::measure(&contenders, traffic))).into(),
        halves: Traffic::ALL
            .into_iter()
            .map(|traffic| codec::measure(&codecs, traffic))
            .collect::<Result<_>>()?,
        lengths: report::MODES_BY_LENGTH
            .iter()
            .map(|(_, mode)| codec::by_length(*mode))
            .collect::<Result<_>>()?,
        contenders,
        codecs,
    };
    let text = report::write(&results);
    println!("{text}");
    if only.is_empty() {
        fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/RESULTS-deflate.md"), text)?;
    }
    Ok(())
}
