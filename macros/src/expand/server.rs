//! The server: for each method, what reads its arguments and calls the service. Knows no client.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Ident, ext::IdentExt};

use crate::{
    expand::{descriptor, names},
    model::{Method, Returns, Service, conditions, is_called},
};

/// Writes the server.
pub(crate) fn expand(service: &Service) -> TokenStream {
    let rpc = &names::rpc(service);
    let server = names::sibling(service, "Server");
    let (vis, name) = (&service.item.vis, &service.item.ident);
    let conditions = &conditions(&service.item.attrs);
    let about = format!(" Serves a [`{name}`] to peers.");
    let descriptor = descriptor::expand(service, rpc);
    let methods = service.methods.iter().map(|method| entry(service, rpc, method));
    quote! {
        #(#conditions)*
        #[doc = #about]
        #[allow(dead_code)]
        #vis struct #server;

        #(#conditions)*
        #[allow(dead_code, deprecated, clippy::new_ret_no_self)]
        impl #server {
            /// What the service offers, for other languages and for tools.
            #vis const DESCRIPTOR: &'static #rpc::Descriptor = &#descriptor;

            /// Makes a service for a router.
            #vis fn new(service: impl #name) -> #rpc::Service {
                Self::from_arc(::std::sync::Arc::new(service))
            }

            /// Makes a service that is also used elsewhere.
            #vis fn from_arc(service: ::std::sync::Arc<impl #name>) -> #rpc::Service {
                let methods: ::std::vec::Vec<#rpc::Method> = ::std::vec::Vec::from([#(#methods,)*]);
                ::core::mem::drop(service);
                #rpc::Service::new(Self::DESCRIPTOR, methods)
            }
        }
    }
}

/// Writes one entry of the table.
fn entry(service: &Service, rpc: &TokenStream, method: &Method) -> TokenStream {
    let conditions = conditions(&method.attributes);
    let (wire, arguments) = (&method.wire.text, names::arguments(method));
    let definition = arguments_struct(rpc, method, &arguments);
    let (inputs, handling) = (inputs(method, &arguments), handling(&service.item.ident, method));
    let constructor = format_ident!("{}", method.kind.constructor());
    quote! {
        #(#conditions)*
        {
            #definition
            let service = ::std::sync::Arc::clone(&service);
            #rpc::Method::#constructor(#wire, move |#inputs| { #handling })
        }
    }
}

/// Arguments are read from an array, and by name from an object.
fn arguments_struct(rpc: &TokenStream, method: &Method, name: &Ident) -> TokenStream {
    let serde = quote!(#rpc::__private::serde);
    let serde_path = serde.to_string().replace(' ', "");
    let fields = method.arguments.travelling.iter().map(|argument| {
        let (name, ty) = (&argument.name, &argument.ty);
        // What may be left out by name may be left out at the end of an array.
        let default = is_called(ty, "Option").then(|| quote!(#[serde(default)]));
        quote!(#default #name: #ty)
    });
    let names = method.arguments.travelling.iter().map(|argument| argument.name.unraw().to_string());
    let expecting = match names.collect::<Vec<_>>().join(", ") {
        names if names.is_empty() => "no arguments".to_owned(),
        names => format!("the arguments ({names})"),
    };
    quote! {
        #[derive(#serde::Deserialize)]
        #[serde(crate = #serde_path, expecting = #expecting)]
        #[allow(non_camel_case_types)]
        struct #name { #(#fields,)* }
    }
}

/// What a handler takes.
fn inputs(method: &Method, arguments: &Ident) -> TokenStream {
    let context = if method.arguments.takes_context { quote!(cx) } else { quote!(_) };
    let name = if method.arguments.travelling.is_empty() { quote!(_) } else { quote!(arguments) };
    let stream = method.arguments.stream.as_ref().map(|stream| {
        let ty = &stream.argument.ty;
        quote!(, items: #ty)
    });
    let emit = method.kind.has_response_stream().then(|| quote!(, emit));
    quote!(#context, #name: #arguments #stream #emit)
}

/// Calls the service.
fn handling(service: &Ident, method: &Method) -> TokenStream {
    let name = &method.signature.ident;
    let context = if method.arguments.takes_context { quote!(cx,) } else { quote!() };
    let fields = method.arguments.travelling.iter().map(|argument| &argument.name);
    let items = method.arguments.stream.as_ref().map(|_| format_ident!("items"));
    let call = quote!(#service::#name(&*service, #context #(arguments.#fields,)* #items));
    // Nothing is left over behind the last `;`: what borrows the service ends before it.
    let handling = match &method.returns {
        Returns::Nothing => quote!(#call.await;),
        Returns::Answer(_) => quote! {
            let answer = #call.await;
            answer
        },
        Returns::Stream { .. } => quote! {
            let done = emit.forward(#call).await;
            done
        },
    };
    quote! {
        let service = ::std::sync::Arc::clone(&service);
        async move { #handling }
    }
}
