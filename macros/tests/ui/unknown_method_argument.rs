use converse_macros::service;

#[service(name = "calc")]
pub trait Calc {
    #[method(nome = "sum")]
    async fn add(&self, a: i64) -> Result<i64, Status>;
    #[method]
    async fn sub(&self, a: i64) -> Result<i64, Status>;
    #[method()]
    async fn div(&self, a: i64) -> Result<i64, Status>;
    #[method(name = "a", name = "b")]
    async fn mul(&self, a: i64) -> Result<i64, Status>;
    #[notify(later)]
    async fn log(&self, line: String);
    #[notify]
    #[notify]
    async fn warn(&self, line: String);
}

fn main() {}
