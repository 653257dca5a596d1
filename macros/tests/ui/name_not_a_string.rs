use converse_macros::service;

#[service(name = calc)]
pub trait Calc {
    #[method(name = 7)]
    async fn add(&self, a: i64) -> Result<i64, Status>;
}

#[service(crate = ::converse)]
pub trait Other {
    async fn add(&self, a: i64) -> Result<i64, Status>;
}

#[service(crate = "not a path")]
pub trait Third {
    async fn add(&self, a: i64) -> Result<i64, Status>;
}

fn main() {}
