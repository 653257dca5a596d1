//! The description of a service for other languages: names and types as text. Knows no calls.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::ext::IdentExt;

use crate::{
    model::{Answer, Method, Returns, Service, conditions},
    type_text::type_text,
};

/// Writes the description.
pub(crate) fn expand(service: &Service, rpc: &TokenStream) -> TokenStream {
    let name = &service.name;
    let methods = service.methods.iter().map(|each| method(rpc, each));
    quote! {
        #rpc::Descriptor { name: #name, methods: &[#(#methods,)*] }
    }
}

fn method(rpc: &TokenStream, method: &Method) -> TokenStream {
    let conditions = conditions(&method.attributes);
    let (name, kind) = (&method.wire.text, format_ident!("{}", method.kind.variant()));
    let arguments = method.arguments.travelling.iter().map(|argument| {
        let (name, ty) = (argument.name.unraw().to_string(), type_text(&argument.ty));
        quote!(#rpc::ArgDescriptor { name: #name, ty: #ty })
    });
    let sends = match &method.arguments.stream {
        Some(stream) => {
            let item = type_text(&stream.item);
            quote!(::core::option::Option::Some(#item))
        }
        None => quote!(::core::option::Option::None),
    };
    let (returns, error) = match &method.returns {
        Returns::Nothing => (String::new(), String::new()),
        Returns::Answer(answer) | Returns::Stream { item: answer, .. } => answer_text(answer),
    };
    quote! {
        #(#conditions)*
        #rpc::MethodDescriptor {
            name: #name,
            kind: #rpc::Kind::#kind,
            args: &[#(#arguments,)*],
            sends: #sends,
            returns: #returns,
            error: #error,
        }
    }
}

/// Of an alias only its name is known.
fn answer_text(answer: &Answer) -> (String, String) {
    match &answer.parts {
        Some((value, error)) => (type_text(value), type_text(error)),
        None => (type_text(&answer.ty), String::new()),
    }
}
