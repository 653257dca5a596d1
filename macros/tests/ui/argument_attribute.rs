use converse_macros::service;

#[service(name = "calc")]
pub trait Calc {
    async fn add(&self, #[serde(default)] a: i64) -> Result<i64, Status>;
}

fn main() {}
