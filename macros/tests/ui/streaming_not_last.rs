use converse_macros::service;

#[service(name = "calc")]
pub trait Calc {
    async fn import(&self, rows: Streaming<Row>, into: String) -> Result<u64, Status>;
}

fn main() {}
