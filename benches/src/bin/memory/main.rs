//! `memory`: what each library costs without a socket. `memory --only CONTENDER CELL` runs one round of one of them, as the
//! former does again and again: it prints nanoseconds, reads and writes for a message. A cell is meant by its number, from 0 on.
//! `memory --only CONTENDER CELL BURSTS` runs so many bursts and nothing else, for callgrind.

use std::env;

use converse_benches::{
    Result,
    memory::{self, CELLS, CONTENDERS, Cell, Contender, Cost},
};

/// How often each is measured.
const ROUNDS: usize = 15;

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => print!("{}", memory::table(&memory::measure(ROUNDS)?)),
        ["--only", name, cell] => print(find(name)?.run(number(cell)?)?),
        ["--only", name, cell, bursts] => {
            print(find(name)?.run_once(Cell { bursts: bursts.parse()?, ..number(cell)? })?);
        }
        _ => return Err("usage: memory [--only CONTENDER CELL [BURSTS]]".into()),
    }
    Ok(())
}

fn number(cell: &str) -> Result<Cell> {
    Ok(*CELLS.get(cell.parse::<usize>()?).ok_or("no cell has this number")?)
}

fn find(name: &str) -> Result<&'static Contender> {
    Ok(CONTENDERS.iter().find(|one| one.name == name).ok_or("no contender has this name")?)
}

fn print(cost: Cost) {
    println!("{} {} {}", cost.nanoseconds, cost.reads, cost.writes);
}
