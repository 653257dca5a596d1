//! What is wrong with a service, gathered so that all of it is told at once. Knows no rule.

use proc_macro2::Span;
use quote::ToTokens;

/// What is wrong with a service.
#[derive(Default)]
pub(crate) struct Faults(Option<syn::Error>);

impl Faults {
    /// Notes a fault of these tokens.
    pub(crate) fn at(&mut self, tokens: impl ToTokens, text: impl std::fmt::Display) {
        self.add(syn::Error::new_spanned(tokens, text));
    }

    /// Notes a fault at this place.
    pub(crate) fn at_span(&mut self, span: Span, text: impl std::fmt::Display) {
        self.add(syn::Error::new(span, text));
    }

    pub(crate) fn add(&mut self, fault: syn::Error) {
        match &mut self.0 {
            Some(faults) => faults.combine(fault),
            none => *none = Some(fault),
        }
    }

    /// Gives everything that was noted, and this one fault behind it.
    pub(crate) fn ending_with(mut self, fault: syn::Error) -> syn::Error {
        self.add(fault.clone());
        self.0.unwrap_or(fault)
    }

    /// Gives the result, or everything that was noted.
    pub(crate) fn finish<T>(self, value: T) -> syn::Result<T> {
        self.0.map_or(Ok(value), Err)
    }
}
