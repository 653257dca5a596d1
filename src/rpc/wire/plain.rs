//! Frames in a format that need not describe itself: the length comes first, so that a frame can be passed which nobody
//! can decode. Knows no frame.

use converse_core::{ContentConverter, ConvertError, ConvertErrorKind};

use super::BadFrame;
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
