//! What a method gives back, asked of its type. Knows no call.

/// What a method of a service returns: a `Result`, under whatever name.
///
/// Code that `#[service]` writes asks it for the two types where a method's return type is an alias.
///
/// ```compile_fail,E0277
/// #[converse::service]
/// trait Clock {
///     async fn now(&self) -> u64; // a method of a service returns a `Result`, which `u64` is not
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "a method of a service returns a `Result`, which `{Self}` is not",
    label = "not a `Result`",
    note = "return `Result<T, E>` or an alias of one; an error that fits every method is `Status`"
)]
pub trait Returns {
    /// The answer.
    type Value;
    /// The method's own error.
    type Error;
}

impl<T, E> Returns for Result<T, E> {
    type Value = T;
    type Error = E;
}
