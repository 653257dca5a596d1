use converse_macros::service;

#[service(name = "calc")]
pub trait Calc {
    #[method(name = "rpc.discover")]
    async fn discover(&self) -> Result<i64, Status>;
    #[method(name = "$/cancelRequest")]
    async fn cancel(&self) -> Result<i64, Status>;
}

#[service]
pub trait Rpc {
    async fn discover(&self) -> Result<i64, Status>;
}

#[service(name = "$/lsp")]
pub trait Other {
    async fn cancel(&self) -> Result<i64, Status>;
}

fn main() {}
