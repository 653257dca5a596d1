use converse_macros::service;

#[service(name = "calc")]
pub trait Calc {
    type Error;
    const LIMIT: usize;
    async fn add(&self, a: i64) -> Result<i64, Self::Error>;
}

fn main() {}
