//! One method of a service. Knows nothing of its siblings.

use syn::{Attribute, Block, ReturnType, Signature, TraitItemFn};

use crate::{
    faults::Faults,
    model::{
        Kind, Returns,
        argument::{Arguments, without_receiver},
        attributes::Attributes,
        signature,
    },
    wire_name::WireName,
};

/// What the client has already.
const TAKEN: [&str; 2] = ["new", "peer"];

/// One method of a service.
pub(crate) struct Method {
    /// Those that are not ours.
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) wire: WireName,
    pub(crate) kind: Kind,
    pub(crate) arguments: Arguments,
    pub(crate) returns: Returns,
    /// As it was written.
    pub(crate) signature: Signature,
    pub(crate) body: Option<Block>,
}

impl Method {
    /// Reads a function of a trait. What is faulty is noted; `None` if too little is left to go on with.
    pub(crate) fn read(item: &TraitItemFn, service: &str, faults: &mut Faults) -> Option<Self> {
        let attributes = Attributes::take(item.attrs.clone(), faults);
        let signature = &item.sig;
        signature::check(signature, faults);
        if TAKEN.iter().any(|taken| signature.ident == taken) {
            let text = format!(
                "the client has a function `{name}` of its own: name it otherwise here, and on the wire with \
                 `#[method(name = \"…\")]`",
                name = signature.ident
            );
            faults.at(&signature.ident, text);
        }
        let wire = wire_name(&attributes, signature, service, faults);
        let inputs = without_receiver(&signature.inputs);
        let arguments = Arguments::read(inputs, item.default.is_some(), faults);
        let returns = if attributes.notify.is_some() {
            notification(signature, &arguments, faults)
        } else {
            answer(signature, faults)
        }?;
        Some(Self {
            kind: kind(&returns, &arguments),
            attributes: attributes.kept,
            wire,
            arguments,
            returns,
            signature: signature.clone(),
            body: item.default.clone(),
        })
    }
}

fn wire_name(attributes: &Attributes, signature: &Signature, service: &str, faults: &mut Faults) -> WireName {
    match &attributes.name {
        Some(name) => WireName::given(name, faults),
        None => WireName::of(service, &signature.ident, faults),
    }
}

fn kind(returns: &Returns, arguments: &Arguments) -> Kind {
    match (returns, &arguments.stream) {
        (Returns::Nothing, _) => Kind::Notify,
        (Returns::Answer(_), None) => Kind::Unary,
        (Returns::Answer(_), Some(_)) => Kind::ClientStream,
        (Returns::Stream { .. }, None) => Kind::ServerStream,
        (Returns::Stream { .. }, Some(_)) => Kind::BidiStream,
    }
}

fn notification(signature: &Signature, arguments: &Arguments, faults: &mut Faults) -> Option<Returns> {
    if signature.asyncness.is_none() {
        faults.at(signature.fn_token, "a notification is an `async fn`");
    }
    if let ReturnType::Type(_, ty) = &signature.output {
        faults.at(ty, "a notification has no answer: it returns nothing");
    }
    if let Some(stream) = &arguments.stream {
        faults.at(&stream.argument.ty, "a notification takes no stream: nothing follows it");
    }
    Some(Returns::Nothing)
}

fn answer(signature: &Signature, faults: &mut Faults) -> Option<Returns> {
    let returns = match &signature.asyncness {
        Some(_) => Returns::of_async(&signature.output, faults),
        None => Returns::of_stream(&signature.output, faults),
    };
    if returns.is_none() {
        note_missing_answer(signature, faults);
    }
    returns
}

fn note_missing_answer(signature: &Signature, faults: &mut Faults) {
    if signature.asyncness.is_none() {
        let text =
            "a method of a service is an `async fn`, or answers with a stream: `fn … -> impl Stream<…>`";
        faults.at(signature.fn_token, text);
    } else if matches!(signature.output, ReturnType::Default) {
        let text = "a call has an answer: return `Result<(), E>`, or add `#[notify]` if nobody waits for it";
        faults.at(&signature.ident, text);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(text: &str) -> Method {
        let mut faults = Faults::default();
        let method = Method::read(&syn::parse_str(text).unwrap(), "calc", &mut faults);
        faults.finish(method).unwrap().unwrap()
    }

    #[test]
    fn a_signature_tells_the_kind() {
        let signatures = [
            (Kind::Unary, "async fn f(&self, a: i64) -> Result<i64, E>;"),
            (Kind::Unary, "async fn f(&self) -> io::Result<()>;"),
            (Kind::ServerStream, "fn f(&self) -> impl Stream<Item = Result<u64, E>>;"),
            (Kind::ServerStream, "fn f(&self) -> impl Send + futures::Stream<Item = Answer>;"),
            (Kind::ClientStream, "async fn f(&self, cx: Context, rows: Streaming<Row>) -> Result<(), E>;"),
            (Kind::BidiStream, "fn f(&self, said: rpc::Streaming<A>) -> impl Stream<Item = Result<A, E>>;"),
            (Kind::Notify, "#[notify] async fn f(&self, line: String);"),
        ];
        for (kind, text) in signatures {
            assert_eq!(read(text).kind, kind, "{text}");
        }
    }

    #[test]
    fn only_what_travels_is_an_argument() {
        let method =
            read("async fn f(&self, cx: rpc::Context, r#type: A, rows: Streaming<Row>) -> Result<(), E>;");
        assert!(method.arguments.takes_context);
        assert_eq!(method.arguments.travelling.len(), 1);
        assert_eq!(method.arguments.travelling[0].name, "r#type");
        assert!(method.arguments.stream.is_some());
    }

    #[test]
    fn a_method_is_named_by_its_service_or_by_itself() {
        assert_eq!(read("async fn r#move(&self) -> Result<(), E>;").wire.text, "calc.move");
        let named = "#[method(name = \"eth_subscribe\")] async fn f(&self) -> Result<(), E>;";
        assert_eq!(read(named).wire.text, "eth_subscribe");
    }
}
