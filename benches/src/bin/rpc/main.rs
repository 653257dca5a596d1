//! Measures what a call and a stream's item cost beside other RPC libraries, and writes `RESULTS-rpc.md`: `benches/run rpc`.
//!
//! With `--quick [CELL…] [--only CONTENDER,…] [--rounds N]` it takes a short look, and only prints. The server and the client of
//! each contender are processes of this program too: `rpc serve …` and `rpc call …`.

mod cell;
mod child;
mod load;
mod peers;
mod report;
mod results;
mod wish;

use std::{env, fs};

use converse_benches::{Result, machine};

use crate::{results::Results, wish::Wish};

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some(child::SERVE) => return peers::serve(&arguments[1..]),
        Some(child::CALL) => return peers::call(&arguments[1..]),
        _ => {}
    }
    let wish = Wish::parse(&arguments)?;
    let results = Results::measure(&wish)?;
    let text = report::write(&results, &machine::describe());
    println!("{text}");
    if !wish.quick {
        fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/RESULTS-rpc.md"), text)?;
    }
    Ok(())
}
