//! What a service becomes: a trait, a client, a server. Knows no rules: what comes here is sound.

mod bounds;
mod client;
mod definition;
mod descriptor;
mod names;
mod server;

use proc_macro2::TokenStream;

use crate::model::Service;

/// Writes everything that a service becomes.
pub(crate) fn expand(service: &Service) -> TokenStream {
    let mut tokens = definition::expand(service);
    tokens.extend(client::expand(service));
    tokens.extend(bounds::expand(service));
    tokens.extend(server::expand(service));
    tokens
}
