use converse_macros::service;

#[service(name = "calc")]
pub trait Calc {
    #[notify]
    async fn log(&self, line: String) -> Result<(), Status>;
}

fn main() {}
