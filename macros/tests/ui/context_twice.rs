use converse_macros::service;

#[service(name = "calc")]
pub trait Calc {
    async fn add(&self, cx: Context, again: rpc::Context) -> Result<i64, Status>;
}

fn main() {}
