//! What a function must be to be a method of a service, its arguments and answer aside. Knows no service.

use syn::{FnArg, Generics, Signature};

use crate::faults::Faults;

/// Notes a fault for everything that a method of a service cannot be.
pub(crate) fn check(signature: &Signature, faults: &mut Faults) {
    if let Some(word) = &signature.unsafety {
        faults.at(word, "a method of a service is not `unsafe`: anybody may call it");
    }
    if let Some(word) = &signature.constness {
        faults.at(word, "a method of a service is not `const`: it is called at run time, from elsewhere");
    }
    if let Some(abi) = &signature.abi {
        faults.at(abi, "a method of a service is not `extern`: it is called over the wire");
    }
    if let Some(variadic) = &signature.variadic {
        faults.at(variadic, "a method of a service takes arguments that have types");
    }
    check_generics(&signature.generics, "a method of a service", faults);
    check_receiver(signature, faults);
}

/// Notes a fault for generics: what travels has one type.
pub(crate) fn check_generics(generics: &Generics, owner: &str, faults: &mut Faults) {
    if !generics.params.is_empty() {
        let list = &generics.params;
        faults.at(list, format!("{owner} has no generics: the wire knows one type for each value"));
    }
    if let Some(clause) = &generics.where_clause {
        faults.at(clause, format!("{owner} has no `where`: the wire knows one type for each value"));
    }
}

fn check_receiver(signature: &Signature, faults: &mut Faults) {
    let Some(FnArg::Receiver(receiver)) = signature.inputs.first() else {
        let text = "a method of a service takes `&self`: calls run side by side on one service";
        return faults.at(&signature.ident, text);
    };
    let is_shared = receiver.mutability.is_none()
        && receiver.colon_token.is_none()
        && receiver.reference.as_ref().is_some_and(|(_, lifetime)| lifetime.is_none());
    if !is_shared {
        faults.at(receiver, "a service is shared by calls that run side by side: take `&self`");
    }
}
