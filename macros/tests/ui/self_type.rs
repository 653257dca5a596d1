use converse_macros::service;

#[service(name = "calc")]
pub trait Calc {
    async fn merge(&self, other: Self) -> Result<(), Status>;
    async fn copy(&self) -> Result<Box<Self>, Status>;
}

fn main() {}
