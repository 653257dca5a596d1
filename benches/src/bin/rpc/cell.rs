//! What is measured: which method, and how many calls or streams are under way.

/// What every ratio refers to.
pub const BASE: &str = "jsonrpsee";

/// A method that all contenders serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `add(40, 2)`.
    Add,
    /// A value of about 120 bytes of JSON, there and back.
    Chat,
    /// A value of about 5 KB of JSON, there and back.
    Room,
    /// A stream of values of about 120 bytes of JSON, as fast as it is read.
    Lines,
}

/// One measurement, for all contenders.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What it is called in the report.
    pub title: &'static str,
    /// What is called.
    pub method: Method,
    /// How many calls or streams are under way on the one connection.
    pub at_once: usize,
}

impl Cell {
    /// Whether its figures are of the items of streams.
    pub fn is_stream(&self) -> bool {
        self.method == Method::Lines
    }

    /// Whether a contender takes part. The names tell what it can.
    pub fn has(&self, contender: &str) -> bool {
        match self.is_stream() {
            true => !contender.starts_with("tarpc"),
            false => !contender.ends_with("-1024"),
        }
    }
}

const fn cell(name: &'static str, title: &'static str, method: Method, at_once: usize) -> Cell {
    Cell { name, title, method, at_once }
}

/// All of them, in the order of the report.
pub const ALL: [Cell; 8] = [
    cell("add-1", "`add(40, 2)`, 1 in flight", Method::Add, 1),
    cell("add-64", "`add(40, 2)`, 64 in flight", Method::Add, 64),
    cell("chat-1", "120 B there and back, 1 in flight", Method::Chat, 1),
    cell("chat-64", "120 B there and back, 64 in flight", Method::Chat, 64),
    cell("room-1", "5 KB there and back, 1 in flight", Method::Room, 1),
    cell("room-64", "5 KB there and back, 64 in flight", Method::Room, 64),
    cell("lines-1", "Items of 120 B, 1 stream", Method::Lines, 1),
    cell("lines-16", "Items of 120 B, 16 streams", Method::Lines, 16),
];
