//! The client: one function per method, each of which builds a call. Knows no server.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Ident, spanned::Spanned};

use crate::{
    expand::names,
    model::{Kind, Method, Returns, Service, conditions, for_client},
};

/// Writes the client.
pub(crate) fn expand(service: &Service) -> TokenStream {
    let rpc = &names::rpc(service);
    let client = names::sibling(service, "Client");
    let (vis, name) = (&service.item.vis, &service.item.ident);
    let conditions = &conditions(&service.item.attrs);
    let about = format!(" Calls the [`{name}`] of a peer.");
    let methods = service.methods.iter().map(|method| function(service, rpc, method));
    quote! {
        #(#conditions)*
        #[doc = #about]
        #[allow(dead_code)]
        #[derive(::core::clone::Clone, ::core::fmt::Debug)]
        #vis struct #client {
            peer: #rpc::Peer,
        }

        #(#conditions)*
        #[allow(dead_code, clippy::too_many_arguments, clippy::type_complexity)]
        impl #client {
            /// Makes a client that calls this peer.
            #vis fn new(peer: #rpc::Peer) -> Self {
                Self { peer }
            }

            /// Returns the peer that is called.
            #vis fn peer(&self) -> &#rpc::Peer {
                &self.peer
            }

            #(#methods)*
        }

        #(#conditions)*
        impl ::core::convert::From<#rpc::Peer> for #client {
            fn from(peer: #rpc::Peer) -> Self {
                Self { peer }
            }
        }
    }
}

fn function(service: &Service, rpc: &TokenStream, method: &Method) -> TokenStream {
    let attributes = for_client(&method.attributes);
    let about = (!attributes.iter().any(|attribute| attribute.path().is_ident("doc"))).then(|| {
        let about = format!(" Calls `{}`.", method.wire.text.escape_debug());
        quote!(#[doc = #about])
    });
    let (vis, name, wire) = (&service.item.vis, &method.signature.ident, &method.wire.text);
    let names: Vec<_> = method.arguments.travelling.iter().map(|argument| &argument.name).collect();
    let types = method.arguments.travelling.iter().map(|argument| &argument.ty);
    // An empty tuple would travel as null.
    let (values, tuple) = match &names[..] {
        [] => (quote!([]), quote!([(); 0])),
        names => (quote!((#(#names,)*)), quote!((#(#types,)*))),
    };
    let stream = method.arguments.stream.as_ref().map(|stream| {
        let (name, item) = (&stream.argument.name, &stream.item);
        quote!(#name: impl #rpc::__private::futures::Stream<Item = #item> + ::core::marker::Send + 'static)
    });
    let sending = method.arguments.stream.as_ref().map(|stream| {
        let (name, sending) = (&stream.argument.name, Ident::new("sending", stream.item.span()));
        quote!(.#sending(#name))
    });
    let error = (method.kind != Kind::Notify).then(|| quote!(.error()));
    let verb = verb(method.kind);
    let returned = returned(rpc, method, &tuple);
    let inputs = method.arguments.travelling.iter().map(|argument| {
        let (name, ty) = (&argument.name, &argument.ty);
        quote!(#name: #ty)
    });
    let inputs = inputs.chain(stream);
    quote! {
        #(#attributes)*
        #about
        #vis fn #name(&self, #(#inputs),*) -> #returned {
            self.peer.#verb(#wire, #values)#sending #error
        }
    }
}

/// How a peer is asked.
fn verb(kind: Kind) -> TokenStream {
    match kind {
        Kind::Notify => quote!(notify),
        Kind::Unary | Kind::ClientStream => quote!(call),
        Kind::ServerStream | Kind::BidiStream => quote!(open),
    }
}

fn returned(rpc: &TokenStream, method: &Method, arguments: &TokenStream) -> TokenStream {
    match &method.returns {
        Returns::Nothing => quote!(#rpc::Notify<#arguments>),
        Returns::Answer(answer) => {
            let (value, error) = names::answer_parts(rpc, answer);
            quote!(#rpc::Call<#arguments, #value, #error>)
        }
        Returns::Stream { item, .. } => {
            let (value, error) = names::answer_parts(rpc, item);
            quote!(#rpc::StreamCall<#arguments, #value, #error>)
        }
    }
}
