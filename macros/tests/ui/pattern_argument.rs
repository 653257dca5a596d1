use converse_macros::service;

#[service(name = "calc")]
pub trait Calc {
    async fn add(&self, (a, b): (i64, i64)) -> Result<i64, Status>;
    async fn sub(&self, _: i64) -> Result<i64, Status>;
    async fn count(&self, mut a: i64) -> Result<i64, Status>;
}

fn main() {}
