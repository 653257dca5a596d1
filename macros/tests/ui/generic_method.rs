use converse_macros::service;

#[service(name = "calc")]
pub trait Calc {
    async fn add<T>(&self, a: T) -> Result<T, Status>;
    async fn sub(&self, a: i64) -> Result<i64, Status> where Self: Sized;
}

fn main() {}
