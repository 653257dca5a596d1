use converse_macros::service;

#[service(name = "calc")]
pub trait Calc {
    async fn add(&self, a: i64, cx: Context) -> Result<i64, Status>;
}

fn main() {}
