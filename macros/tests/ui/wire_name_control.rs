use converse_macros::service;

#[service(name = "calc")]
pub trait Calc {
    #[method(name = "add\n")]
    async fn add(&self, a: i64) -> Result<i64, Status>;
}

#[service(name = "\0")]
pub trait Other {
    async fn sub(&self, a: i64) -> Result<i64, Status>;
}

fn main() {}
