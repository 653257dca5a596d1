use converse_macros::service;

#[service(nome = "calc")]
pub trait Calc {
    async fn add(&self, a: i64) -> Result<i64, Status>;
}

#[service(name = "calc", name = "calculator")]
pub trait Twice {
    async fn add(&self, a: i64) -> Result<i64, Status>;
}

fn main() {}
