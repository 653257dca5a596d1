use converse_macros::service;

#[service(name = "calc")]
pub trait Calc {
    async fn import(&self, rows: Streaming<Row>, more: Streaming<Row>) -> Result<u64, Status>;
}

fn main() {}
