//! A service: methods that belong together, and their description for other languages. Knows no call.

use serde::Serialize;

use crate::rpc::{Kind, Method};

/// Methods that belong together, as `#[converse::service]` makes them of a trait.
#[derive(Clone, Debug)]
pub struct Service {
    descriptor: &'static Descriptor,
    methods: Vec<Method>,
}

impl Service {
    /// Puts a service together.
    pub fn new(descriptor: &'static Descriptor, methods: Vec<Method>) -> Self {
        Self { descriptor, methods }
    }

    /// Returns the description.
    pub fn descriptor(&self) -> &'static Descriptor {
        self.descriptor
    }

    pub(crate) fn into_methods(self) -> Vec<Method> {
        self.methods
    }
}

/// The description of a service. It can be serialized, as for a generator of clients in other languages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Descriptor {
    /// The service's name.
    pub name: &'static str,
    /// Its methods, in the order of the trait.
    pub methods: &'static [MethodDescriptor],
}

/// The description of a method; types are as Rust spells them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MethodDescriptor {
    /// The name by which it is called.
    pub name: &'static str,
    /// The kind.
    pub kind: Kind,
    /// The arguments in their order.
    pub args: &'static [ArgDescriptor],
    /// The type of the values that the caller sends as a stream.
    pub sends: Option<&'static str>,
    /// The type of the answer, or of the values of the response stream.
    pub returns: &'static str,
    /// The type of the method's own error.
    pub error: &'static str,
}

/// The description of an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ArgDescriptor {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub ty: &'static str,
}
