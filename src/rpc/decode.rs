//! Decodes what a peer has sent within what its conversation may still hold, and charges what that made.

use std::sync::Arc;

use converse_core::{ConvertError, ConvertErrorKind, guard::within};
use serde::de::DeserializeOwned;

use crate::{
    rpc::{
        Code, Status,
        wire::{BadFrame, Head, Reader},
    },
    session::{Account, Charge},
};

/// Decodes the payload of a frame; it is charged until the charge is dropped.
pub(crate) fn payload<T: DeserializeOwned>(
    reader: &mut Reader<'_>,
    account: &Arc<Account>,
) -> Result<(T, Charge), ConvertError> {
    let (value, made) = within(account.room(), || reader.payload::<T>());
    let charge = account.charge(made + size_of::<T>()).ok_or_else(too_large);
    // A value that was refused may panic when it is dropped.
    value.and_then(|value| match charge {
        Ok(charge) => Ok((value, charge)),
        Err(error) => {
            crate::rpc::discard::discard(value, "a value that was refused");
            Err(error)
        }
    })
}

/// Reads the head of the next frame, whatever the conversation holds: what is kept of it is charged later. Tells how much
/// memory that made.
pub(crate) fn head<'m>(
    reader: &mut Reader<'m>,
    account: &Account,
) -> Result<Option<(Head<'m>, usize)>, BadFrame> {
    let (head, made) = within(account.limit(), || reader.next());
    head.map(|head| head.map(|head| (head, made)))
}

/// Says how a value that cannot be decoded is refused: for want of memory, or with another code.
pub(crate) fn refusal(otherwise: Code, what: &str, error: &ConvertError) -> Status {
    let code = if error.kind() == ConvertErrorKind::TooLarge { Code::RESOURCE_EXHAUSTED } else { otherwise };
    Status::new(code, format!("{what}: {error}"))
}

fn too_large() -> ConvertError {
    ConvertError::new(ConvertErrorKind::TooLarge, "the connection holds as much memory as it may")
}
