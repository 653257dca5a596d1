//! Decodes what a peer has sent within what its conversation may still hold, and charges what that made.

use std::sync::Arc;

use converse_core::{ConvertError, ConvertErrorKind, guard::within};
use serde::de::DeserializeOwned;

use crate::{
    rpc::{
        Code, Status,
        discard::discard,
        wire::{BadFrame, Head, Reader},
    },
    session::{Account, Charge},
};

/// Up to so many bytes arguments or an answer are charged nothing: of the calls in flight they come to a few KiB.
const FREE: usize = 64;

/// Decodes arguments or an answer; what is more than a few bytes is charged until the charge is dropped.
pub(crate) fn payload<T: DeserializeOwned>(
    reader: &mut Reader<'_>,
    account: &Arc<Account>,
) -> Result<(T, Charge), ConvertError> {
    charged(reader, account, FREE)
}

/// Decodes an item of a stream, of which many may wait; it is charged until the charge is dropped.
pub(crate) fn item<T: DeserializeOwned>(
    reader: &mut Reader<'_>,
    account: &Arc<Account>,
) -> Result<(T, Charge), ConvertError> {
    charged(reader, account, 0)
}

/// Decodes a payload, and charges more than `free` bytes.
#[inline]
fn charged<T: DeserializeOwned>(
    reader: &mut Reader<'_>,
    account: &Arc<Account>,
    free: usize,
) -> Result<(T, Charge), ConvertError> {
    let (value, made) = within(account.room(), || reader.payload::<T>());
    let bytes = made + size_of::<T>();
    let charge = account.charge(if bytes > free { bytes } else { 0 }).ok_or_else(too_large);
    // A value that was refused may panic when it is dropped.
    value.and_then(|value| match charge {
        Ok(charge) => Ok((value, charge)),
        Err(error) => {
            discard(value, "a value that was refused");
            Err(error)
        }
    })
}

/// Reads the head of the next frame, whatever the conversation holds: what is kept of it is charged later. Tells how much
/// memory that has `made`.
pub(crate) fn head<'m>(
    reader: &mut Reader<'m>,
    account: &Account,
    made: &mut usize,
) -> Result<Option<Head<'m>>, BadFrame> {
    let (head, more) = within(account.limit(), || reader.next());
    *made = more;
    head
}

/// Says how a value that cannot be decoded is refused: for want of memory, or with another code.
pub(crate) fn refusal(otherwise: Code, what: &str, error: &ConvertError) -> Status {
    let code = if error.kind() == ConvertErrorKind::TooLarge { Code::RESOURCE_EXHAUSTED } else { otherwise };
    Status::new(code, format!("{what}: {error}"))
}

fn too_large() -> ConvertError {
    ConvertError::new(ConvertErrorKind::TooLarge, "the connection holds as much memory as it may")
}
