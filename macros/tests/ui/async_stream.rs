use converse_macros::service;

#[service(name = "calc")]
pub trait Calc {
    async fn ticks(&self) -> impl Stream<Item = Result<u64, Status>>;
}

fn main() {}
