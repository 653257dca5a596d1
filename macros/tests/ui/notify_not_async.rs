use converse_macros::service;

#[service(name = "calc")]
pub trait Calc {
    #[notify]
    fn log(&self, line: String);
}

fn main() {}
