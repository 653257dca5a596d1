//! What generated code calls things. Knows no shape of them.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::{format_ident, quote, quote_spanned};
use syn::{Ident, ext::IdentExt, spanned::Spanned};

use crate::model::{Answer, Method, Service};

/// `Calc` and `Client` make `CalcClient`.
pub(crate) fn sibling(service: &Service, suffix: &str) -> Ident {
    format_ident!("{}{suffix}", service.item.ident.unraw(), span = service.item.ident.span())
}

/// The runtime's module of calls.
pub(crate) fn rpc(service: &Service) -> TokenStream {
    let runtime = &service.runtime;
    quote!(#runtime::rpc)
}

/// The struct of a method's arguments. It stands where the types of the arguments are in scope, so its name is unlikely.
pub(crate) fn arguments(method: &Method) -> Ident {
    format_ident!("__{}_arguments", method.signature.ident.unraw())
}

/// The types `T` and `E` of an answer: as they are written, or by asking the type checker what an alias stands for.
pub(crate) fn answer_parts(rpc: &TokenStream, answer: &Answer) -> (TokenStream, TokenStream) {
    let ty = &answer.ty;
    match &answer.parts {
        Some((value, error)) => (quote!(#value), quote!(#error)),
        // Where the alias is no `Result`, the fault is to point at it.
        None => {
            let (span, rpc) = (ty.span(), placed_at(rpc, ty.span()));
            let asked = quote_spanned!(span=> <#ty as #rpc::Returns>);
            (quote_spanned!(span=> #asked::Value), quote_spanned!(span=> #asked::Error))
        }
    }
}

/// Moves generated tokens to the user's: what the compiler has to say of them, it says there.
pub(crate) fn placed_at(tokens: &TokenStream, span: Span) -> TokenStream {
    let placed = tokens.clone().into_iter().map(|token| match token {
        TokenTree::Group(group) => {
            let mut placed = Group::new(group.delimiter(), placed_at(&group.stream(), span));
            placed.set_span(span);
            TokenTree::Group(placed)
        }
        mut token => {
            token.set_span(span);
            token
        }
    });
    placed.collect()
}
