use converse_macros::service;

#[service(name = "calc")]
pub auto trait Calc {
    async fn add(&self, a: i64) -> Result<i64, Status>;
}

fn main() {}
