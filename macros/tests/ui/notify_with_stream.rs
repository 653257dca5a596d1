use converse_macros::service;

#[service(name = "calc")]
pub trait Calc {
    #[notify]
    async fn log(&self, lines: Streaming<String>);
}

fn main() {}
