use converse_macros::service;

#[service]
pub struct Calc {
    sum: i64,
}

#[service]
impl Calc {
    async fn add(&self, a: i64) -> Result<i64, Status>;
}

fn main() {}
