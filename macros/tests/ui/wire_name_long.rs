use converse_macros::service;

#[service(name = "calc")]
pub trait Calc {
    #[method(name = "üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüü")]
    async fn add(&self, a: i64) -> Result<i64, Status>;
}

#[service(name = "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn")]
pub trait Other {
    async fn ssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss(&self, a: i64) -> Result<i64, Status>;
}

fn main() {}
