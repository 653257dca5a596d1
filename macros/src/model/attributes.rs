//! The attributes of a method: which are ours, which go where. Knows no signature.

use proc_macro2::Span;
use syn::{Attribute, LitStr, Meta, spanned::Spanned};

use crate::{
    arguments::{once, text},
    faults::Faults,
};

/// The attributes of a method.
pub(crate) struct Attributes {
    /// Those that are not ours.
    pub(crate) kept: Vec<Attribute>,
    pub(crate) notify: Option<Span>,
    /// The full name on the wire.
    pub(crate) name: Option<LitStr>,
}

impl Attributes {
    pub(crate) fn take(all: Vec<Attribute>, faults: &mut Faults) -> Self {
        let mut attributes = Self { kept: Vec::new(), notify: None, name: None };
        for attribute in all {
            if attribute.path().is_ident("notify") {
                attributes.take_notify(&attribute, faults);
            } else if attribute.path().is_ident("method") {
                attributes.take_method(&attribute, faults);
            } else {
                attributes.kept.push(attribute);
            }
        }
        attributes
    }

    fn take_notify(&mut self, attribute: &Attribute, faults: &mut Faults) {
        if !matches!(attribute.meta, Meta::Path(_)) {
            faults.at(&attribute.meta, "`#[notify]` takes nothing");
        }
        if self.notify.replace(attribute.span()).is_some() {
            faults.at(attribute, "this is said twice");
        }
    }

    fn take_method(&mut self, attribute: &Attribute, faults: &mut Faults) {
        const TAKES: &str = "`#[method]` takes `name = \"…\"`";
        if !matches!(attribute.meta, Meta::List(_)) {
            return faults.at(&attribute.meta, TAKES);
        }
        let taken = attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("name") {
                return Err(meta.error(TAKES));
            }
            once(&mut self.name, &meta, text)
        });
        match taken {
            Err(fault) => faults.add(fault),
            Ok(()) if self.name.is_none() => faults.at(&attribute.meta, TAKES),
            Ok(()) => {}
        }
    }
}

/// What an item needs as well where it stands for one that has these attributes: to be there or not.
pub(crate) fn conditions(attributes: &[Attribute]) -> Vec<Attribute> {
    picked(attributes, &["cfg"])
}

/// What a function of the client takes over from the function of the trait.
pub(crate) fn for_client(attributes: &[Attribute]) -> Vec<Attribute> {
    picked(attributes, &["cfg", "doc", "deprecated", "allow"])
}

fn picked(attributes: &[Attribute], names: &[&str]) -> Vec<Attribute> {
    let is_picked = |attribute: &&Attribute| names.iter().any(|name| attribute.path().is_ident(name));
    attributes.iter().filter(is_picked).cloned().collect()
}
