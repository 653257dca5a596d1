use converse_macros::service;

#[service(name = "calc")]
pub trait Calc {
    async fn store(&self, line: String);
}

fn main() {}
