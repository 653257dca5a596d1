use converse_macros::service;

#[service(name = "calc")]
pub trait Calc {
    async fn add(&self, a: i64) -> Result<i64, Status>;
    #[method(name = "calc.add")]
    async fn sum(&self, a: i64) -> Result<i64, Status>;
    #[method(name = "calc.sub")]
    async fn minus(&self, a: i64) -> Result<i64, Status>;
    async fn sub(&self, a: i64) -> Result<i64, Status>;
}

fn main() {}
