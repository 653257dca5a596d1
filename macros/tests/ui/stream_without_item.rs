use converse_macros::service;

#[service(name = "calc")]
pub trait Calc {
    fn ticks(&self) -> impl Stream;
}

fn main() {}
