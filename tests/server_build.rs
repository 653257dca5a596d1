//! What cannot be built is told before anything is served or dialled. Knows no frame.
#![allow(clippy::unwrap_used, clippy::panic)]

use converse::{
    Client, ConnectError, Server, Session, SessionOptions,
    handshake::{OriginPolicy, Upgrade},
    rpc::{self, Router, Status},
    server::ServerError,
};
use futures::FutureExt;

async fn idle(mut session: Session) -> converse::Result<()> {
    while session.receive().await?.is_some() {}
    Ok(())
}

fn twice() -> Router {
    let one = |_, (): ()| async { Ok::<_, Status>(1) };
    Router::new().call("a", one).call("twice", one).call("b", one).call("twice", one)
}

async fn fault(server: Server) -> ServerError {
    server.bind("127.0.0.1:0").await.unwrap_err()
}

#[tokio::test]
async fn what_a_server_cannot_keep_is_an_error_of_bind() {
    let server = || Server::new(SessionOptions::default()).route("/chat/{room}", idle);
    let error = fault(server().rpc("/rpc", twice())).await;
    assert!(
        matches!(&error, ServerError::DoubledMethod { path, method } if path == "/rpc" && method == "twice")
    );
    assert_eq!(error.to_string(), r#"route "/rpc": the router has the method "twice" twice"#);
    let error = fault(server().origin_policy(OriginPolicy::any()).origin_policy(OriginPolicy::any())).await;
    assert!(matches!(&error, ServerError::Twice("origin_policy")), "{error}");
    let pass = |_: &mut Upgrade| Ok(());
    let error = fault(server().route_hook("/chat", pass)).await;
    assert_eq!(error.to_string(), r#"route "/chat": it has a hook, but no route"#);
    let late = Server::new(SessionOptions::default()).route_hook("/chat/{room}", pass);
    late.route("/chat/{room}", idle).bind("127.0.0.1:0").await.unwrap();
}

#[tokio::test]
async fn a_router_with_a_method_twice_neither_connects_nor_begins() {
    let error = rpc::connect("ws://127.0.0.1:1/", twice()).await.unwrap_err();
    assert!(matches!(&error, ConnectError::DoubledMethod(method) if method == "twice"), "{error}");
    let panic = std::panic::catch_unwind(|| rpc::duplex(twice())).unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(text.contains("twice"), "{text}");
}

#[test]
fn outside_of_a_runtime_connect_and_bind_are_errors() {
    let client = Client::new(SessionOptions::default());
    let connected = client.connect("ws://127.0.0.1:1/").now_or_never().unwrap();
    let error = connected.unwrap_err();
    assert!(matches!(error, ConnectError::NoRuntime), "{error}");
    assert_eq!(error.to_string(), "connecting needs a Tokio runtime, and there is none here");
    assert!(converse::Error::from(error).is_caller_fault());
    let called = rpc::connect("ws://127.0.0.1:1/", Router::new()).now_or_never().unwrap();
    assert!(matches!(called.unwrap_err(), ConnectError::NoRuntime));
    let bound = Server::new(SessionOptions::default()).route("/", idle).bind("127.0.0.1:0");
    assert!(matches!(bound.now_or_never().unwrap().unwrap_err(), ServerError::NoRuntime));
}
