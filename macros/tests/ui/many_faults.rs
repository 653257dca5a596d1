use converse_macros::service;

#[service(name = "rpc.calc")]
pub trait Calc {
    async fn borrow(&self, line: &str) -> Result<(), Status>;
    fn plain(&self) -> Result<(), Status>;
    #[notify]
    async fn log(&self) -> bool;
}

fn main() {}
