//! Frames in a format that need not describe itself: the length comes first, so that a frame can be passed which nobody
//! can decode. Knows no frame.

use converse_core::{ContentConverter, ConvertError, ConvertErrorKind};

use super::{BadFrame, text::Text};
use crate::session::AnyConverter;

/// Puts the length of what was written from `start` on in front of it.
pub(super) fn put_length(
    converter: &AnyConverter,
    start: usize,
    out: &mut Vec<u8>,
) -> Result<(), ConvertError> {
    let end = out.len();
    let length = u32::try_from(end - start)
        .map_err(|_| ConvertError::new(ConvertErrorKind::Encode, "a frame is longer than 4 GiB"))?;
    converter.encode(&length, out)?;
    let digits = out.len() - end;
    if let Some(frame) = out.get_mut(start..) {
        frame.rotate_right(digits);
    }
    Ok(())
}

/// Splits the first frame off: what is in it, and what is behind it.
pub(super) fn split<'m>(converter: &AnyConverter, bytes: &'m [u8]) -> Result<(&'m [u8], &'m [u8]), BadFrame> {
    let (length, digits) = converter.decode_prefix::<u32>(bytes)?;
    let rest = bytes.get(digits..).unwrap_or_default();
    let frame = usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length));
    frame.ok_or_else(|| BadFrame::new("the message ends within a frame"))
}

/// Tries whether the converter tells where numbers and texts end.
pub(super) fn check(converter: &AnyConverter) -> Result<(), ConvertError> {
    let mut bytes = Vec::new();
    converter.encode(&7u8, &mut bytes)?;
    let number_at = bytes.len();
    converter.encode(&70_000u32, &mut bytes)?;
    let text_at = bytes.len();
    converter.encode("frame", &mut bytes)?;
    let end = bytes.len();
    converter.encode(&7u8, &mut bytes)?;

    let from = |start: usize| bytes.get(start..).unwrap_or_default();
    let (text, text_len) = converter.decode_prefix::<Text<'_>>(from(text_at))?;
    let holds = converter.decode_prefix::<u8>(&bytes)? == (7, number_at)
        && converter.decode_prefix::<u32>(from(number_at))? == (70_000, text_at - number_at)
        && (&*text.0, text_len) == ("frame", end - text_at);
    if holds {
        return Ok(());
    }
    let text = format!("the {} converter does not tell where a value ends", converter.subprotocol());
    Err(ConvertError::new(ConvertErrorKind::NotApplicable, text))
}
