use converse_macros::service;

#[service(name = "calc")]
pub trait Calc {
    async fn new(&self) -> Result<i64, Status>;
    async fn peer(&self) -> Result<i64, Status>;
}

fn main() {}
