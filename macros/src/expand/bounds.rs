//! What the types of a service must be able to do, asked of each where it stands. Knows no calls.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;

use crate::{
    expand::names,
    model::{Answer, Method, Returns, Service, conditions},
};

/// Writes code that does nothing. The server asks the same of the types, but there the compiler would point at the
/// attribute.
pub(crate) fn expand(service: &Service) -> TokenStream {
    let rpc = &names::rpc(service);
    let conditions = conditions(&service.item.attrs);
    let methods = service.methods.iter().map(|method| ask(rpc, method));
    quote! {
        #(#conditions)*
        #[allow(dead_code, deprecated)]
        const _: fn() = || {
            fn takes<A: ::core::marker::Send + 'static>() {}
            fn receives<I>()
            where
                I: #rpc::__private::serde::de::DeserializeOwned + ::core::marker::Send + 'static,
            {}
            fn answers<T: #rpc::__private::serde::Serialize + ::core::marker::Send + 'static>() {}
            fn fails<E: #rpc::ServiceError>() {}
            #(#methods)*
        };
    }
}

fn ask(rpc: &TokenStream, method: &Method) -> TokenStream {
    let conditions = conditions(&method.attributes);
    let taken = method.arguments.travelling.iter().map(|argument| question("takes", &argument.ty));
    let received = method.arguments.stream.as_ref().map(|stream| question("receives", &stream.item));
    let answered = match &method.returns {
        Returns::Nothing => None,
        Returns::Answer(answer) | Returns::Stream { item: answer, .. } => Some(ask_answer(rpc, answer)),
    };
    quote!(#(#conditions)* { #(#taken)* #received #answered })
}

fn ask_answer(rpc: &TokenStream, answer: &Answer) -> TokenStream {
    let (value, error) = names::answer_parts(rpc, answer);
    let (value, error) = (question("answers", &value), question("fails", &error));
    quote!(#value #error)
}

fn question(name: &str, ty: &impl ToTokens) -> TokenStream {
    let name = syn::Ident::new(name, proc_macro2::Span::call_site());
    quote_spanned!(ty.span()=> #name::<#ty>();)
}
