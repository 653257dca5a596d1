//! The application's say before a request is answered. Knows no connection.

use async_trait::async_trait;

use crate::handshake::{Rejection, Upgrade};

/// Looks at each request before it is answered, after the origin policy and the routing.
///
/// A closure without `async` will often do; implement the trait where the hook has to await something,
/// such as a database.
///
/// ```
/// use async_trait::async_trait;
/// use converse::handshake::{Rejection, Upgrade};
/// use converse::server::RequestHook;
///
/// #[derive(Clone)]
/// struct User(String);
/// struct Tokens;
///
/// #[async_trait]
/// impl RequestHook for Tokens {
///     async fn on_request(&self, upgrade: &mut Upgrade) -> Result<(), Rejection> {
///         let Some(token) = upgrade.request().header("authorization").map(str::to_owned) else {
///             return Err(Rejection::new(http::StatusCode::UNAUTHORIZED).body("who are you?"));
///         };
///         upgrade.request_mut().extensions_mut().insert(User(token));
///         Ok(())
///     }
/// }
/// # fn main() {}
/// ```
#[async_trait]
pub trait RequestHook: Send + Sync + 'static {
    /// Lets the request pass, perhaps with state attached to it, or rejects it.
    ///
    /// # Errors
    /// The answer in place of the 101.
    ///
    /// # Cancel safety
    /// Dropped when the handshake timeout has passed or the server is cut off, at whatever it awaits.
    async fn on_request(&self, upgrade: &mut Upgrade) -> Result<(), Rejection>;
}

#[async_trait]
impl<F> RequestHook for F
where
    F: Fn(&mut Upgrade) -> Result<(), Rejection> + Send + Sync + 'static,
{
    async fn on_request(&self, upgrade: &mut Upgrade) -> Result<(), Rejection> {
        self(upgrade)
    }
}
