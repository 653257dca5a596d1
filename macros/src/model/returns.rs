//! What a method gives back. Knows no arguments.

use syn::{
    AssocType, GenericArgument, PathArguments, ReturnType, TraitBound, Type, TypeImplTrait, TypeParamBound,
};

use crate::{
    faults::Faults,
    model::spelling::{bare, is_called, type_arguments},
    travels::{self, Role},
};

/// What a method gives back.
pub(crate) enum Returns {
    /// A notification.
    Nothing,
    Answer(Answer),
    /// The type is `impl Stream<…>`, as it was written.
    Stream {
        stream: TypeImplTrait,
        item: Answer,
    },
}

/// One answer, or one item of a stream of answers.
pub(crate) struct Answer {
    /// The whole type, as it was written.
    pub(crate) ty: Type,
    /// `T` and `E`, where it is written as `Result<T, E>`.
    pub(crate) parts: Option<(Type, Type)>,
}

impl Answer {
    fn of(ty: &Type, faults: &mut Faults) -> Self {
        travels::check(ty, Role::Answer, faults);
        Self { ty: ty.clone(), parts: result_parts(ty) }
    }
}

impl Returns {
    /// Reads the type of a method that is `async`.
    pub(crate) fn of_async(output: &ReturnType, faults: &mut Faults) -> Option<Self> {
        let ReturnType::Type(_, ty) = output else { return None };
        if let Type::ImplTrait(stream) = bare(ty)
            && stream_bound(stream).is_some()
        {
            faults.at(ty, "a method that answers with a stream is not `async`: `fn … -> impl Stream<…>`");
            return None;
        }
        Some(Self::Answer(Answer::of(ty, faults)))
    }

    /// Reads the type of a method that is not `async`.
    pub(crate) fn of_stream(output: &ReturnType, faults: &mut Faults) -> Option<Self> {
        let ReturnType::Type(_, ty) = output else { return None };
        let Type::ImplTrait(stream) = bare(ty) else { return None };
        let Some(item) = stream_item(stream_bound(stream)?) else {
            faults.at(ty, "say what the stream gives: `impl Stream<Item = Result<T, E>>`");
            return Some(Self::Nothing);
        };
        Some(Self::Stream { stream: stream.clone(), item: Answer::of(item, faults) })
    }
}

fn stream_bound(stream: &TypeImplTrait) -> Option<&TraitBound> {
    stream.bounds.iter().find_map(|bound| match bound {
        TypeParamBound::Trait(bound) if bound.path.segments.last()?.ident == "Stream" => Some(bound),
        _ => None,
    })
}

fn stream_item(stream: &TraitBound) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = &stream.path.segments.last()?.arguments else {
        return None;
    };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::AssocType(AssocType { ident, ty, .. }) if ident == "Item" => Some(ty),
        _ => None,
    })
}

/// Splits `Result<T, E>`. A `Result` with fewer arguments is an alias, and any alias is left to the type checker.
fn result_parts(ty: &Type) -> Option<(Type, Type)> {
    match type_arguments(ty)[..] {
        [value, error] if is_called(ty, "Result") => Some((value.clone(), error.clone())),
        _ => None,
    }
}
