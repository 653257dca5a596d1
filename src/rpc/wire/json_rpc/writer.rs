//! Writes the messages of JSON-RPC 2.0. Knows no reading.

use converse_core::{ContentConverter, ConvertError};
use serde::Serialize;

use super::{END_OF_STREAM, Fault, JsonRpc, UNSUBSCRIBES, ids::RawId, made::Cancel, subscription_name};
use crate::{
    rpc::{
        Status,
        window::Window,
        wire::{Control, Envelope, json, json::put},
    },
    session::AnyConverter,
};

type Written = Result<(), ConvertError>;

/// Where an answer goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Into the reply to a request.
    Reply,
    /// Into a notification of a subscription.
    Subscription,
}

impl Form {
    fn end(self) -> &'static [u8] {
        match self {
            Self::Reply => b"}",
            Self::Subscription => b"}}",
        }
    }
}

/// The writers of a codec. Metadata does not travel, and neither do greetings and pings.
impl JsonRpc {
    /// Writes a frame that carries a value.
    pub(crate) fn frame<T: Serialize + ?Sized>(
        &self,
        converter: &AnyConverter,
        envelope: Envelope<'_>,
        value: &T,
        out: &mut Vec<u8>,
    ) -> Written {
        match envelope {
            Envelope::Call { id, kind, method, .. } => {
                invoke(converter, Some(u64::from(id)), method, value, out)?;
                if kind.has_response_stream() {
                    self.lock().made.begin(id, method);
                }
                Ok(())
            }
            Envelope::Notify { method, .. } => invoke(converter, None, method, value, out),
            Envelope::Ok { id } => self.ok(converter, id, value, out),
            Envelope::Item { id } => self.item(converter, id, value, out),
        }
    }

    /// Writes a frame that carries none.
    pub(crate) fn control(
        &self,
        converter: &AnyConverter,
        control: Control<'_>,
        out: &mut Vec<u8>,
    ) -> Written {
        match control {
            Control::Hello(_) | Control::Ping => Ok(()),
            Control::Done { id } => self.ok(converter, id, &(), out),
            Control::Err { id, status } => self.err(converter, id, status, out),
            Control::End { id } => {
                put(out, format_args!(r#"{{"jsonrpc":"2.0","method":"$/end","params":[{id}]}}"#))
            }
            Control::Cancel { id } => match self.lock().made.cancel(id) {
                Cancel::Unsubscribe { method, subscription } => {
                    unsubscribe(converter, id, &method, &subscription, out)
                }
                Cancel::Request => {
                    let head = r#"{"jsonrpc":"2.0","method":"$/cancelRequest","params":"#;
                    put(out, format_args!(r#"{head}{{"id":{id}}}}}"#))
                }
                Cancel::Done => Ok(()),
            },
            // What this end asked for needs no credit: nobody would understand it.
            Control::Credit { id, more: Window { items, bytes } } => {
                let state = self.lock();
                let Some(call) = state.served.call(id) else { return Ok(()) };
                let raw = call.id.as_str();
                let head = r#"{"jsonrpc":"2.0","method":"$/credit","params":"#;
                put(out, format_args!("{head}[{raw},{items},{bytes}]}}"))
            }
            Control::GoAway(go_away) => invoke(converter, None, "$/goaway", go_away, out),
        }
    }

    fn ok<T: Serialize + ?Sized>(
        &self,
        converter: &AnyConverter,
        id: u32,
        value: &T,
        out: &mut Vec<u8>,
    ) -> Written {
        match self.begin(converter, id, out)? {
            Some(Form::Reply) => {
                out.extend_from_slice(br#""result":"#);
                converter.encode(value, out)?;
                out.push(b'}');
            }
            Some(Form::Subscription) => end_of_stream(out)?,
            None => {}
        }
        Ok(())
    }

    fn err(&self, converter: &AnyConverter, id: u32, status: &Status, out: &mut Vec<u8>) -> Written {
        let form = match id {
            0 => {
                out.extend_from_slice(br#"{"jsonrpc":"2.0","id":null,"#);
                Some(Form::Reply)
            }
            _ => self.begin(converter, id, out)?,
        };
        if let Some(form) = form {
            json::error(converter, status, out)?;
            out.extend_from_slice(form.end());
        }
        Ok(())
    }

    fn item<T: Serialize + ?Sized>(
        &self,
        converter: &AnyConverter,
        id: u32,
        value: &T,
        out: &mut Vec<u8>,
    ) -> Written {
        if self.is_ours(id) {
            put(out, format_args!(r#"{{"jsonrpc":"2.0","method":"$/item","params":[{id},"#))?;
            converter.encode(value, out)?;
            out.extend_from_slice(b"]}");
            return Ok(());
        }
        let start = out.len();
        // A call that has ended meanwhile, or that was never accepted, has nobody to take items.
        if self.begin(converter, id, out)? != Some(Form::Subscription) {
            out.truncate(start);
            return Ok(());
        }
        out.extend_from_slice(br#""result":"#);
        converter.encode(value, out)?;
        out.extend_from_slice(b"}}");
        Ok(())
    }

    /// Begins the answer of a call that is served, up to what it says. `None`: it has ended, and nothing is written.
    fn begin(
        &self,
        converter: &AnyConverter,
        id: u32,
        out: &mut Vec<u8>,
    ) -> Result<Option<Form>, ConvertError> {
        let state = self.lock();
        let Some(call) = state.served.call(id) else { return Ok(None) };
        match &call.subscription {
            None => {
                put(out, format_args!(r#"{{"jsonrpc":"2.0","id":{},"#, call.id.as_str()))?;
                Ok(Some(Form::Reply))
            }
            Some(subscription) if subscription.is_over => Ok(None),
            Some(subscription) => {
                out.extend_from_slice(br#"{"jsonrpc":"2.0","method":"#);
                converter.encode(&*subscription.method, out)?;
                out.extend_from_slice(br#","params":{"subscription":"#);
                converter.encode(&subscription_name(subscription.number), out)?;
                out.push(b',');
                Ok(Some(Form::Subscription))
            }
        }
    }
}

fn invoke<A: Serialize + ?Sized>(
    converter: &AnyConverter,
    id: Option<u64>,
    method: &str,
    args: &A,
    out: &mut Vec<u8>,
) -> Written {
    out.extend_from_slice(br#"{"jsonrpc":"2.0","#);
    if let Some(id) = id {
        put(out, format_args!(r#""id":{id},"#))?;
    }
    out.extend_from_slice(br#""method":"#);
    converter.encode(method, out)?;
    let end = out.len();
    out.extend_from_slice(br#","params":"#);
    let params = out.len();
    converter.encode(args, out)?;
    // No parameters are left out: they may not be null (§4.2).
    if out.get(params..) == Some(b"null") {
        out.truncate(end);
    }
    out.push(b'}');
    Ok(())
}

fn end_of_stream(out: &mut Vec<u8>) -> Written {
    put(out, format_args!(r#""error":{{"code":{END_OF_STREAM},"message":"end of stream"}}}}}}"#))
}

/// Writes the request that ends a subscription of ours.
pub(super) fn unsubscribe(
    converter: &AnyConverter,
    call: u32,
    method: &str,
    subscription: &RawId,
    out: &mut Vec<u8>,
) -> Written {
    let id = UNSUBSCRIBES + u64::from(call);
    put(out, format_args!(r#"{{"jsonrpc":"2.0","id":{id},"method":"#))?;
    converter.encode(method, out)?;
    put(out, format_args!(r#","params":[{}]}}"#, subscription.as_str()))
}

/// Returns the reply that gives a result, which is JSON.
pub(super) fn result(id: &RawId, result: &str) -> Vec<u8> {
    format!(r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#, id.as_str()).into_bytes()
}

/// Returns the reply to what cannot be a call; without its id where that is not known.
pub(super) fn fault(converter: &AnyConverter, id: Option<&RawId>, fault: Fault) -> Vec<u8> {
    let id = id.map_or("null", RawId::as_str);
    let mut message = Vec::new();
    // Every converter writes texts, these among them.
    let _ = converter.encode(fault.message, &mut message);
    let head = format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{},"message":"#, fault.code);
    [head.as_bytes(), &message, b"}}"].concat()
}
