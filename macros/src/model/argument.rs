//! The arguments of a method: what travels with the call, what is streamed, and what stays. Knows no answer.

use syn::{FnArg, Ident, Pat, PatType, Token, Type, punctuated::Punctuated};

use crate::{
    faults::Faults,
    model::spelling::{is_called, type_arguments},
    travels::{self, Role},
};

/// As many as serde's tuples hold.
const MAX_ARGUMENTS: usize = 16;

/// An argument that travels with the call, or as a stream.
pub(crate) struct Argument {
    pub(crate) name: Ident,
    pub(crate) ty: Type,
}

/// The arguments of a method by what becomes of them.
#[derive(Default)]
pub(crate) struct Arguments {
    pub(crate) takes_context: bool,
    pub(crate) travelling: Vec<Argument>,
    pub(crate) stream: Option<StreamArgument>,
}

/// The stream that the caller gives.
pub(crate) struct StreamArgument {
    /// Its type is `Streaming<…>`, as it was written.
    pub(crate) argument: Argument,
    pub(crate) item: Type,
}

impl Arguments {
    /// `inputs` without the receiver.
    pub(crate) fn read<'a>(
        inputs: impl IntoIterator<Item = &'a PatType>,
        has_body: bool,
        faults: &mut Faults,
    ) -> Self {
        let mut arguments = Self::default();
        let mut inputs = inputs.into_iter().enumerate().peekable();
        while let Some((place, input)) = inputs.next() {
            if let Some(attribute) = input.attrs.first() {
                faults.at(attribute, "an argument of a service's method takes no attributes");
            }
            if is_called(&input.ty, "Context") {
                arguments.take_context(place, input, faults);
            } else if is_called(&input.ty, "Streaming") {
                // A second stream is a fault of its own.
                let is_last = inputs.peek().is_none_or(|(_, next)| is_called(&next.ty, "Streaming"));
                arguments.take_stream(is_last, input, has_body, faults);
            } else {
                arguments.take_travelling(input, has_body, faults);
            }
        }
        if let Some(excess) = arguments.travelling.get(MAX_ARGUMENTS) {
            let text = format!("a call takes at most {MAX_ARGUMENTS} arguments: put them in a struct");
            faults.at(&excess.name, text);
        }
        arguments
    }

    fn take_context(&mut self, place: usize, input: &PatType, faults: &mut Faults) {
        if self.takes_context {
            faults.at(&input.ty, "a method takes one `Context`");
        } else if place > 0 {
            faults.at(&input.ty, "`Context` is the first argument behind `&self`, or left out");
        }
        self.takes_context = true;
    }

    fn take_stream(&mut self, is_last: bool, input: &PatType, has_body: bool, faults: &mut Faults) {
        if self.stream.is_some() {
            faults.at(&input.ty, "a method takes one stream");
        } else if !is_last {
            faults.at(&input.ty, "`Streaming<…>` is the last argument: a stream follows its call");
        }
        let [item] = type_arguments(&input.ty)[..] else {
            return faults.at(&input.ty, "say what is streamed: `Streaming<Row>`");
        };
        travels::check(item, Role::Argument, faults);
        if let Some(argument) = plain(input, has_body, faults) {
            self.stream = Some(StreamArgument { argument, item: item.clone() });
        }
    }

    fn take_travelling(&mut self, input: &PatType, has_body: bool, faults: &mut Faults) {
        travels::check(&input.ty, Role::Argument, faults);
        self.travelling.extend(plain(input, has_body, faults));
    }
}

/// Reads `name: Type`. A method with a body may also say `mut`.
fn plain(input: &PatType, has_body: bool, faults: &mut Faults) -> Option<Argument> {
    match &*input.pat {
        Pat::Ident(name)
            if name.by_ref.is_none() && name.subpat.is_none() && (name.mutability.is_none() || has_body) =>
        {
            Some(Argument { name: name.ident.clone(), ty: (*input.ty).clone() })
        }
        pattern => {
            faults.at(pattern, "an argument has a plain name here, which callers may use: `name: Type`");
            None
        }
    }
}

/// Splits the receiver from the other inputs.
pub(crate) fn without_receiver(inputs: &Punctuated<FnArg, Token![,]>) -> impl Iterator<Item = &PatType> {
    inputs.iter().filter_map(|input| match input {
        FnArg::Typed(input) => Some(input),
        FnArg::Receiver(_) => None,
    })
}
