use converse_macros::service;

#[service(name = "calc")]
pub trait Calc {
    async unsafe fn risky(&self) -> Result<i64, Status>;
    const fn early(&self) -> Result<i64, Status>;
    async extern "C" fn foreign(&self) -> Result<i64, Status>;
}

fn main() {}
