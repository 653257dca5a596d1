//! What the command line asks for.

use converse_benches::Result;

use crate::cell::{self, Cell};

/// The command line, understood.
#[derive(Debug, Default)]
pub struct Wish {
    /// Whether to take a short look, and only print.
    pub quick: bool,
    /// How many rounds, if not as many as usual.
    pub rounds: Option<usize>,
    cells: Vec<String>,
    only: Vec<String>,
}

impl Wish {
    /// Reads the arguments.
    ///
    /// # Errors
    /// When one is not understood.
    pub fn parse(arguments: &[String]) -> Result<Self> {
        let (mut wish, mut arguments) = (Self::default(), arguments.iter());
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--quick" => wish.quick = true,
                "--only" => {
                    let names = arguments.next().ok_or("--only is followed by names")?;
                    wish.only = names.split(',').map(String::from).collect();
                }
                "--rounds" => {
                    wish.rounds = Some(arguments.next().ok_or("--rounds is followed by a number")?.parse()?);
                }
                start if cell::ALL.iter().any(|cell| cell.name.starts_with(start)) => {
                    wish.cells.push(start.into());
                }
                other => return Err(format!("{other}: no such option, and no such cell").into()),
            }
        }
        if !wish.quick && (!wish.cells.is_empty() || !wish.only.is_empty()) {
            return Err("cells and contenders are chosen with --quick".into());
        }
        Ok(wish)
    }

    /// Whether a cell is wanted. The start of a name names all that begin with it.
    pub fn has(&self, cell: &Cell) -> bool {
        self.cells.is_empty() || self.cells.iter().any(|name| cell.name.starts_with(name))
    }

    /// Whether a contender is wanted.
    pub fn wants(&self, contender: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == contender)
    }
}
