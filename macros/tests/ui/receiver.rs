use converse_macros::service;

#[service(name = "calc")]
pub trait Calc {
    async fn none(a: i64) -> Result<i64, Status>;
    async fn unique(&mut self, a: i64) -> Result<i64, Status>;
    async fn owned(self, a: i64) -> Result<i64, Status>;
    async fn typed(self: Arc<Self>, a: i64) -> Result<i64, Status>;
    async fn named(&'static self, a: i64) -> Result<i64, Status>;
}

fn main() {}
