//! What two ends can agree to speak. Knows no session.

use std::{fmt, sync::Arc};

use converse_core::ContentConverter;

use crate::{
    frame::Role,
    rpc::wire::Codec,
    session::{Account, AnyConverter},
};

/// What comes before the converter's token in a subprotocol.
const NATIVE: &str = "converse.v1.";

/// One way to hold a conversation: the frames of this crate in some format, or JSON-RPC 2.0. The subprotocol
/// (RFC 6455 §1.9) names it.
#[derive(Clone)]
pub struct Protocol(Choice);

#[derive(Clone)]
enum Choice {
    Native(AnyConverter),
    #[cfg(feature = "json")]
    JsonRpc,
}

impl Protocol {
    /// The frames of this crate, with values in the converter's format: `converse.v1.` and the converter's
    /// subprotocol token, such as `converse.v1.msgpack`.
    pub fn converse(converter: impl ContentConverter) -> Self {
        Self(Choice::Native(AnyConverter::new(converter)))
    }

    /// JSON-RPC 2.0, for clients and servers that know nothing of this crate: `jsonrpc`.
    #[cfg(feature = "json")]
    pub fn json_rpc() -> Self {
        Self(Choice::JsonRpc)
    }

    /// All that the crate's features offer: MessagePack, CBOR, JSON, JSON-RPC.
    pub(crate) fn all() -> Vec<Self> {
        vec![
            #[cfg(feature = "msgpack")]
            Self::converse(converse_msgpack::MessagePackConverter::default()),
            #[cfg(feature = "cbor")]
            Self::converse(converse_cbor::CborConverter::default()),
            #[cfg(feature = "json")]
            Self::converse(converse_json::JsonConverter::default()),
            #[cfg(feature = "json")]
            Self::json_rpc(),
        ]
    }

    /// Returns the subprotocol's token.
    pub fn token(&self) -> String {
        match &self.0 {
            Choice::Native(converter) => format!("{NATIVE}{}", converter.subprotocol()),
            #[cfg(feature = "json")]
            Choice::JsonRpc => "jsonrpc".to_owned(),
        }
    }

    /// Builds what writes and reads its frames.
    #[cfg_attr(not(feature = "json"), allow(unused_variables))]
    pub(crate) fn codec(&self, role: Role, account: &Arc<Account>) -> Codec {
        match &self.0 {
            Choice::Native(converter) => Codec::native(converter.clone()),
            #[cfg(feature = "json")]
            Choice::JsonRpc => {
                Codec::json_rpc(AnyConverter::new(converse_json::JsonConverter::default()), role, account)
            }
        }
    }
}

impl Default for Protocol {
    /// The frames of this crate in the default format, JSON where its feature is on.
    fn default() -> Self {
        Self::converse(AnyConverter::default())
    }
}

impl fmt::Debug for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Protocol").field(&self.token()).finish()
    }
}
