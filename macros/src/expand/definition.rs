//! The trait, as people implement it. Knows no client and no server.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{TypeImplTrait, TypeParamBound, spanned::Spanned};

use crate::model::{Method, Returns, Service};

/// Writes the trait: its futures and streams may be sent to other threads, and so may the service.
pub(crate) fn expand(service: &Service) -> TokenStream {
    let item = &service.item;
    // The user's own `trait` and `fn`, for lints point at them.
    let (attributes, vis, word, name) = (&item.attrs, &item.vis, &item.trait_token, &item.ident);
    let supertraits = item.supertraits.iter();
    let methods = service.methods.iter().map(method);
    quote! {
        #(#attributes)*
        #vis #word #name: #(#supertraits +)* ::core::marker::Send + ::core::marker::Sync + 'static {
            #(#methods)*
        }
    }
}

fn method(method: &Method) -> TokenStream {
    let (attributes, signature) = (&method.attributes, &method.signature);
    let (word, name, inputs) = (&signature.fn_token, &signature.ident, &signature.inputs);
    let output = output(&method.returns);
    let body = match (&method.body, &signature.asyncness) {
        (None, _) => quote!(;),
        (Some(body), None) => quote!(#body),
        (Some(body), Some(_)) => quote!({ async move #body }),
    };
    quote! {
        #(#attributes)*
        #word #name(#inputs) -> #output #body
    }
}

fn output(returns: &Returns) -> TokenStream {
    match returns {
        Returns::Nothing => quote!(impl ::core::future::Future<Output = ()> + ::core::marker::Send),
        Returns::Answer(answer) => {
            let ty = &answer.ty;
            quote_spanned! {ty.span()=>
                impl ::core::future::Future<Output = #ty> + ::core::marker::Send
            }
        }
        Returns::Stream { stream, .. } if is_send(stream) => quote!(#stream),
        Returns::Stream { stream, .. } => quote!(#stream + ::core::marker::Send),
    }
}

fn is_send(stream: &TypeImplTrait) -> bool {
    stream.bounds.iter().any(|bound| match bound {
        TypeParamBound::Trait(bound) => bound.path.segments.last().is_some_and(|last| last.ident == "Send"),
        _ => false,
    })
}
