use converse_macros::service;

#[service(name = "calc")]
pub trait Calc {
    async fn name(&self) -> Result<&str, Status>;
    async fn cow(&self) -> Result<Cow<'_, str>, Status>;
    fn names(&self) -> impl Stream<Item = Result<&str, Status>>;
}

fn main() {}
