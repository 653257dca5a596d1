//! The attribute `#[service]` of the crate `converse`. Knows the names of its runtime, `converse::rpc`, and no more.
//!
//! Use it as `converse::service`: this crate is a part of `converse`, and fits the one with its own version.
//!
//! # What it makes
//!
//! Of this trait
//!
//! ```ignore
//! /// Adds, and counts.
//! #[converse::service(name = "calc")]
//! pub trait Calc {
//!     /// Adds two numbers.
//!     async fn add(&self, cx: Context, a: i64, b: i64) -> Result<i64, CalcError>;
//!     fn ticks(&self, every_ms: u64) -> impl Stream<Item = Result<u64, CalcError>>;
//!     async fn import(&self, rows: Streaming<Row>) -> Result<u64, CalcError>;
//!     #[notify]
//!     async fn log(&self, line: String);
//! }
//! ```
//!
//! it makes the trait, with futures and streams that can be sent to other threads. It is implemented with plain
//! `async fn` and `-> impl Stream<…>`.
//!
//! ```ignore
//! /// Adds, and counts.
//! pub trait Calc: Send + Sync + 'static {
//!     /// Adds two numbers.
//!     fn add(&self, cx: Context, a: i64, b: i64) -> impl Future<Output = Result<i64, CalcError>> + Send;
//!     fn ticks(&self, every_ms: u64) -> impl Stream<Item = Result<u64, CalcError>> + Send;
//!     fn import(&self, rows: Streaming<Row>) -> impl Future<Output = Result<u64, CalcError>> + Send;
//!     fn log(&self, line: String) -> impl Future<Output = ()> + Send;
//! }
//! ```
//!
//! The client. What its functions return is sent when it is awaited.
//!
//! ```ignore
//! #[derive(Clone, Debug)]
//! pub struct CalcClient {
//!     peer: rpc::Peer,
//! }
//!
//! impl CalcClient {
//!     pub fn new(peer: rpc::Peer) -> Self {
//!         Self { peer }
//!     }
//!
//!     pub fn peer(&self) -> &rpc::Peer {
//!         &self.peer
//!     }
//!
//!     /// Adds two numbers.
//!     pub fn add(&self, a: i64, b: i64) -> rpc::Call<(i64, i64), i64, CalcError> {
//!         self.peer.call("calc.add", (a, b)).error()
//!     }
//!
//!     pub fn ticks(&self, every_ms: u64) -> rpc::StreamCall<(u64,), u64, CalcError> {
//!         self.peer.open("calc.ticks", (every_ms,)).error()
//!     }
//!
//!     pub fn import(
//!         &self,
//!         rows: impl Stream<Item = Row> + Send + 'static,
//!     ) -> rpc::Call<[(); 0], u64, CalcError> {
//!         self.peer.call("calc.import", []).sending(rows).error()
//!     }
//!
//!     pub fn log(&self, line: String) -> rpc::Notify<(String,)> {
//!         self.peer.notify("calc.log", (line,))
//!     }
//! }
//!
//! impl From<rpc::Peer> for CalcClient { /* … */ }
//! ```
//!
//! The server. Arguments are read from an array, and by name from an object.
//!
//! ```ignore
//! pub struct CalcServer;
//!
//! impl CalcServer {
//!     pub const DESCRIPTOR: &'static rpc::Descriptor = &rpc::Descriptor {
//!         name: "calc",
//!         methods: &[
//!             rpc::MethodDescriptor {
//!                 name: "calc.add",
//!                 kind: rpc::Kind::Unary,
//!                 args: &[
//!                     rpc::ArgDescriptor { name: "a", ty: "i64" },
//!                     rpc::ArgDescriptor { name: "b", ty: "i64" },
//!                 ],
//!                 sends: None,
//!                 returns: "i64",
//!                 error: "CalcError",
//!             },
//!             // …
//!         ],
//!     };
//!
//!     pub fn new(service: impl Calc) -> rpc::Service {
//!         Self::from_arc(Arc::new(service))
//!     }
//!
//!     pub fn from_arc(service: Arc<impl Calc>) -> rpc::Service {
//!         let methods = Vec::from([
//!             {
//!                 #[derive(Deserialize)]
//!                 struct __add_arguments {
//!                     a: i64,
//!                     b: i64,
//!                 }
//!                 let service = Arc::clone(&service);
//!                 rpc::Method::unary("calc.add", move |cx, arguments: __add_arguments| {
//!                     let service = Arc::clone(&service);
//!                     async move { service.add(cx, arguments.a, arguments.b).await }
//!                 })
//!             },
//!             {
//!                 #[derive(Deserialize)]
//!                 struct __ticks_arguments {
//!                     every_ms: u64,
//!                 }
//!                 let service = Arc::clone(&service);
//!                 rpc::Method::server_stream("calc.ticks", move |_, arguments: __ticks_arguments, emit| {
//!                     let service = Arc::clone(&service);
//!                     async move { emit.forward(service.ticks(arguments.every_ms)).await }
//!                 })
//!             },
//!             // …
//!         ]);
//!         rpc::Service::new(Self::DESCRIPTOR, methods)
//!     }
//! }
//! ```
#![forbid(unsafe_code)]

mod arguments;
mod expand;
mod faults;
mod model;
mod travels;
mod type_text;
mod wire_name;

use proc_macro::TokenStream;

/// Makes of a trait a service that a peer can call: the trait itself, a client and a server.
///
/// For a trait `Calc` there are then `CalcClient`, which has a function for each method and is made from a `Peer`;
/// `CalcServer::new`, which makes of an implementation what a `Router` takes; and `CalcServer::DESCRIPTOR`, which says
/// the same to tools and to other languages.
///
/// # Methods
///
/// | Written as | Is |
/// |---|---|
/// | `async fn f(&self, a: A) -> Result<T, E>` | a call with one answer |
/// | `fn f(&self, a: A) -> impl Stream<Item = Result<T, E>>` | a call that is answered by a stream |
/// | either, with `items: Streaming<I>` as the last argument | a call whose caller sends a stream |
/// | `#[notify] async fn f(&self, a: A)` | a notification: it has no answer |
///
/// The first argument may be a `Context`; it does not travel. All others do, and so they own what they hold: at most
/// sixteen, each of which can be serialized and deserialized. They are read from an array or, by name, from an object; an
/// `Option` may be left out by name or at the end. `Result<T, E>` may also be an alias of one. `Context`, `Streaming`
/// and `Stream` are known by their names alone, whatever they were imported from.
///
/// An `async` method may have a body, which implementations then need not repeat. Methods and the trait keep their other
/// attributes; `#[cfg]` counts for the client and the server as well.
///
/// # Names
///
/// `#[service(name = "calc")]` names the service; without, the trait's name in snake case does. A method `add` is called
/// `calc.add` on the wire, or just as `#[method(name = "…")]` says. Such a name has 1 to 128 bytes and no control characters,
/// and does not begin with `rpc.` or `$/`, which JSON-RPC and LSP have reserved.
///
/// `#[service(crate = "…")]` says under which path `converse` is found where it is not `::converse`.
///
/// # Errors
///
/// What cannot be a service is refused when it is compiled, with every fault at its place.
#[proc_macro_attribute]
pub fn service(arguments: TokenStream, item: TokenStream) -> TokenStream {
    match model::Service::read(arguments.into(), item.into()) {
        Ok(service) => expand::expand(&service).into(),
        Err(faults) => faults.into_compile_error().into(),
    }
}
