use converse_macros::service;

#[service(name = "calc")]
pub trait Calc {
    fn add(&self, a: i64) -> Result<i64, Status>;
    fn print(&self, line: String);
    fn lines(&self) -> impl Iterator<Item = String>;
}

fn main() {}
