//! Where the payload of a frame is. Knows no frame.

use converse_core::{ContentConverter, ConvertError, ConvertErrorKind};
use serde::Deserialize;

use crate::session::AnyConverter;

/// The payload of the frame that is being read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Payload<'m> {
    /// There is none, or it is decoded.
    None,
    /// These bytes, and no more.
    Whole(&'m [u8]),
    /// What the bytes that are not read yet begin with.
    Ahead,
}

impl<'m> Payload<'m> {
    /// Decodes the payload. Where that fails it stays, and is still to be passed.
    pub(super) fn decode<T: Deserialize<'m>>(
        &mut self,
        converter: &AnyConverter,
        rest: &mut &'m [u8],
    ) -> Result<T, ConvertError> {
        let value = match *self {
            Self::Whole(bytes) => converter.decode(bytes)?,
            Self::Ahead => {
                let (value, len) = converter.decode_prefix(rest)?;
                *rest = rest.get(len..).unwrap_or_default();
                value
            }
            Self::None => {
                let text = "the frame has no payload, or it is decoded already";
                return Err(ConvertError::new(ConvertErrorKind::NotApplicable, text));
            }
        };
        *self = Self::None;
        Ok(value)
    }

    /// Passes a payload that was not decoded.
    pub(super) fn pass(&mut self, converter: &AnyConverter, rest: &mut &'m [u8]) -> Result<(), ConvertError> {
        if let Self::Ahead = self {
            let len = converter.prefix_len(rest)?;
            *rest = rest.get(len..).unwrap_or_default();
        }
        *self = Self::None;
        Ok(())
    }
}
