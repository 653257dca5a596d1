use converse_macros::service;

#[service(name = "calc")]
pub trait Calc<T> {
    async fn add(&self, a: T) -> Result<T, Status>;
}

#[service]
pub trait Copies where Self: Copy {
    async fn add(&self, a: i64) -> Result<i64, Status>;
}

fn main() {}
