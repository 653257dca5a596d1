//! A service: a trait as a whole. Knows nothing inside of its methods.

use std::collections::HashMap;

use proc_macro2::TokenStream;
use syn::{
    Ident, ItemTrait, Path, Token, TraitItem, Visibility, ext::IdentExt, parse::ParseStream, parse::Parser,
};

use crate::{
    arguments::Arguments,
    faults::Faults,
    model::{Method, attributes::conditions, signature},
    wire_name,
};

/// A service: a trait as a whole.
pub(crate) struct Service {
    /// The path of the runtime's crate.
    pub(crate) runtime: Path,
    /// What its methods' names on the wire begin with.
    pub(crate) name: String,
    pub(crate) methods: Vec<Method>,
    /// As it was written; its items have become `methods`.
    pub(crate) item: ItemTrait,
}

impl Service {
    /// Reads the parentheses of the attribute and the item below it.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub(crate) fn read(arguments: TokenStream, item: TokenStream) -> syn::Result<Self> {
        let mut faults = Faults::default();
        let arguments = Arguments::parse(arguments, &mut faults);
        let item = match parse_trait.parse2(item) {
            Ok(item) => item,
            Err(fault) => return Err(faults.ending_with(fault)),
        };
        check(&item, &mut faults);
        let name = name(&arguments, &item.ident, &mut faults);
        let methods = methods(&item.items, &name, &mut faults);
        check_distinct(&methods, &mut faults);
        let runtime = arguments.runtime.unwrap_or_else(|| syn::parse_quote!(::converse));
        faults.finish(Self { runtime, name, methods, item })
    }
}

/// Reads a trait, and points at what stands in the place of the word where it is none.
fn parse_trait(input: ParseStream<'_>) -> syn::Result<ItemTrait> {
    let ahead = input.fork();
    ahead.call(syn::Attribute::parse_outer)?;
    ahead.parse::<Visibility>()?;
    ahead.parse::<Option<Token![unsafe]>>()?;
    ahead.parse::<Option<Token![auto]>>()?;
    if !ahead.peek(Token![trait]) {
        return Err(ahead.error("`#[service]` describes a service by a trait"));
    }
    input.parse()
}

fn check(item: &ItemTrait, faults: &mut Faults) {
    if let Some(word) = &item.unsafety {
        faults.at(word, "a service is not `unsafe`: anybody may call it");
    }
    if let Some(word) = &item.auto_token {
        faults.at(word, "a service is not `auto`: it is implemented on purpose");
    }
    signature::check_generics(&item.generics, "a service", faults);
}

fn name(arguments: &Arguments, ident: &Ident, faults: &mut Faults) -> String {
    let (name, span) = match &arguments.name {
        Some(name) => (name.value(), name.span()),
        None => (wire_name::snake_case(&ident.unraw().to_string()), ident.span()),
    };
    wire_name::check_service(&name, span, faults);
    name
}

fn methods(items: &[TraitItem], service: &str, faults: &mut Faults) -> Vec<Method> {
    let mut methods = Vec::new();
    for item in items {
        match item {
            TraitItem::Fn(item) => methods.extend(Method::read(item, service, faults)),
            TraitItem::Type(item) => {
                faults.at(item, "a service has methods only: there is no type to choose")
            }
            TraitItem::Const(item) => faults.at(item, "a service has methods only: constants do not travel"),
            other => faults.at(other, "a service has methods only"),
        }
    }
    methods
}

/// Two methods may share a name if conditions decide which of them is there.
fn check_distinct(methods: &[Method], faults: &mut Faults) {
    let mut seen: HashMap<&str, &Method> = HashMap::new();
    for method in methods.iter().filter(|method| conditions(&method.attributes).is_empty()) {
        let wire = &method.wire;
        if let Some(first) = seen.insert(&wire.text, method) {
            let (first, text) = (&first.signature.ident, wire.text.escape_debug());
            faults.at_span(wire.span, format!("`{text}` is the name of `{first}` on the wire already"));
        }
    }
}
