use converse_macros::service;

#[service(name = "calc")]
pub trait Calc {
    async fn print(&self, line: &str) -> Result<(), Status>;
    async fn print_all(&self, lines: Vec<&'static str>) -> Result<(), Status>;
    async fn cow(&self, line: Cow<'_, str>) -> Result<(), Status>;
    async fn context(&self, cx: &Context) -> Result<(), Status>;
    fn each(&self, lines: Streaming<&str>) -> impl Stream<Item = Result<u64, Status>>;
}

fn main() {}
