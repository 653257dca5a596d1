use converse_macros::service;

#[service(name = "calc")]
pub trait Calc {
    async fn print(&self, line: impl Into<String>) -> Result<(), Status>;
    async fn lines(&self) -> Result<impl Iterator<Item = String>, Status>;
    async fn any(&self) -> impl Serialize;
}

fn main() {}
