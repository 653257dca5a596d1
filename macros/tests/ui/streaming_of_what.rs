use converse_macros::service;

#[service(name = "calc")]
pub trait Calc {
    async fn import(&self, rows: Streaming) -> Result<u64, Status>;
    async fn export(&self, rows: Streaming<Row, Status>) -> Result<u64, Status>;
}

fn main() {}
