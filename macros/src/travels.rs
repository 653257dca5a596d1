//! Which types can travel, as far as their spelling tells. Knows no method.

use syn::{
    Lifetime, Type, TypeImplTrait, TypePath, TypeReference,
    visit::{self, Visit},
};

use crate::faults::Faults;

/// Notes a fault for everything in a type that cannot travel: references, borrows, `impl Trait`, `Self`.
pub(crate) fn check(ty: &Type, role: Role, faults: &mut Faults) {
    Check { role, faults }.visit_type(ty);
}

/// What a type is there for.
#[derive(Clone, Copy)]
pub(crate) enum Role {
    Argument,
    Answer,
}

impl Role {
    fn travels(self) -> &'static str {
        match self {
            Self::Argument => "arguments travel",
            Self::Answer => "answers travel",
        }
    }
}

struct Check<'a> {
    role: Role,
    faults: &'a mut Faults,
}

impl<'ast> Visit<'ast> for Check<'_> {
    fn visit_type_reference(&mut self, reference: &'ast TypeReference) {
        let travels = self.role.travels();
        self.faults.at(reference, format!("{travels}: take an owned type such as `String`"));
    }

    fn visit_type_impl_trait(&mut self, bounds: &'ast TypeImplTrait) {
        let travels = self.role.travels();
        self.faults.at(bounds, format!("{travels}: name the type instead of `impl Trait`"));
    }

    fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
        if lifetime.ident != "static" {
            let travels = self.role.travels();
            self.faults.at(lifetime, format!("{travels}: take a type that borrows nothing"));
        }
    }

    fn visit_type_path(&mut self, path: &'ast TypePath) {
        let names_self = path.path.segments.first().is_some_and(|first| first.ident == "Self");
        if path.qself.is_none() && names_self {
            let travels = self.role.travels();
            self.faults.at(path, format!("{travels}, and `Self` is the service, which stays"));
        }
        visit::visit_type_path(self, path);
    }
}
