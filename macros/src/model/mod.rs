//! What a trait says about a service. Knows nothing of what is made of it.

mod argument;
mod attributes;
mod kind;
mod method;
mod returns;
mod service;
mod signature;
mod spelling;

pub(crate) use attributes::{conditions, for_client};
pub(crate) use kind::Kind;
pub(crate) use method::Method;
pub(crate) use returns::{Answer, Returns};
pub(crate) use service::Service;
pub(crate) use spelling::is_called;
