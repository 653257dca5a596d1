//! What stands in the parentheses of `#[service(…)]`. Knows no trait.

use proc_macro2::TokenStream;
use syn::{LitStr, Path, meta::ParseNestedMeta, parse::Parser};

use crate::faults::Faults;

/// What stands in the parentheses of `#[service(…)]`.
#[derive(Default)]
pub(crate) struct Arguments {
    pub(crate) name: Option<LitStr>,
    /// Where the runtime is found, `::converse` if nothing is said.
    pub(crate) runtime: Option<Path>,
}

impl Arguments {
    pub(crate) fn parse(tokens: TokenStream, faults: &mut Faults) -> Self {
        let mut arguments = Self::default();
        let parser = syn::meta::parser(|meta| arguments.take(&meta));
        if let Err(fault) = parser.parse2(tokens) {
            faults.add(fault);
        }
        arguments
    }

    fn take(&mut self, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
        if meta.path.is_ident("name") {
            once(&mut self.name, meta, text)
        } else if meta.path.is_ident("crate") {
            once(&mut self.runtime, meta, path)
        } else {
            Err(meta.error("`#[service]` takes `name = \"…\"` and `crate = \"…\"`"))
        }
    }
}

/// Reads `= "text"`.
pub(crate) fn text(meta: &ParseNestedMeta<'_>) -> syn::Result<LitStr> {
    let value = meta.value()?;
    if !value.peek(LitStr) {
        return Err(value.error("this is given as a string: `\"…\"`"));
    }
    value.parse()
}

fn path(meta: &ParseNestedMeta<'_>) -> syn::Result<Path> {
    let text = text(meta)?;
    let no_path = |_| syn::Error::new(text.span(), "this is no path: `crate = \"::converse\"`");
    text.parse_with(Path::parse_mod_style).map_err(no_path)
}

/// Fills a slot that may be filled once.
pub(crate) fn once<T>(
    slot: &mut Option<T>,
    meta: &ParseNestedMeta<'_>,
    read: impl FnOnce(&ParseNestedMeta<'_>) -> syn::Result<T>,
) -> syn::Result<()> {
    if slot.is_some() {
        return Err(meta.error("this is given twice"));
    }
    *slot = Some(read(meta)?);
    Ok(())
}
