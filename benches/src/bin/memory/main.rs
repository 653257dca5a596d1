//! `memory`: what each library costs without a socket. `memory --only CONTENDER CELL` runs one round of one of them, as the
//! former does again and again, and for callgrind: it prints nanoseconds, reads and writes for a message. A cell is meant by
//! its number, from 0 on.

use std::env;

use converse_benches::{
    Result,
    memory::{self, CELLS, CONTENDERS},
};

/// How often each is measured.
const ROUNDS: usize = 15;

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => print!("{}", memory::table(&memory::measure(ROUNDS)?)),
        ["--only", name, cell] => {
            let cell = *CELLS.get(cell.parse::<usize>()?).ok_or("no cell has this number")?;
            let mut contenders = CONTENDERS.iter();
            let contender = contenders.find(|one| one.name == name).ok_or("no contender has this name")?;
            let cost = contender.run(cell)?;
            println!("{} {} {}", cost.nanoseconds, cost.reads, cost.writes);
        }
        _ => return Err("usage: memory [--only CONTENDER CELL]".into()),
    }
    Ok(())
}
