//! Measures permessage-deflate (RFC 7692) beside its peers, and writes `RESULTS-deflate.md`.
//!
//! With an argument, only the contenders whose name contains it are measured, and the results are only printed.

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
    let bare = idle::measure(&peers::bare())?;
    let idle = contenders.iter().map(idle::measure).collect();
    let echoes = Traffic::ALL.map(|traffic| (traffic, echo::measure(&contenders, traffic)));
    let text = report::write(&report::Results { contenders, bare, idle, echoes: echoes.into() });
    println!("{text}");
    if only.is_empty() {
        fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/RESULTS-deflate.md"), text)?;
    }
    Ok(())
}
