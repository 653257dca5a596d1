//! Measures what the crate costs beside its peers, and writes `RESULTS.md` and `plot.svg`. `benches/run` builds all that
//! it needs, and starts it.
//!
//! With `--quick [CELL…] [--only CONTENDER,…] [--rounds N]` it takes a short look, and only prints.

mod bare;
mod broadcast;
mod cell;
mod child;
mod connection;
mod echo;
mod firehose;
mod goals;
mod idle;
mod latency;
mod load;
mod plot;
mod poll;
mod quick;
mod replies;
mod report;
mod results;
mod rounds;
mod script;
mod wish;

use std::{env, fs};

use converse_benches::{Result, machine, process};

use crate::{results::Results, rounds::Plan, wish::Wish};

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let wish = Wish::parse(&arguments)?;
    // Before the pinning, behind which it would count one core.
    let machine = machine::describe();
    process::allow_all_descriptors()?;
    process::pin_to(child::LOAD_CORE)?;
    if wish.quick {
        println!("{machine}\n");
        return quick::look(&wish);
    }
    let plan = Plan { rounds: wish.rounds.unwrap_or(results::PLAN.rounds), ..results::PLAN };
    let results = Results::measure(plan)?;
    let text = report::write(&results, &machine);
    println!("{text}");
    fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/RESULTS.md"), text)?;
    fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/plot.svg"), plot::draw(&results))?;
    Ok(())
}
