//! Where an extension puts its frames. Knows neither what made them nor what takes them.

use std::fmt;

use crate::frame::Frame;

/// Takes the frames that one half of an extension puts out, one after the other.
///
/// To drive an extension without a connection, build one around a closure:
///
/// ```
/// use converse::{Frame, extension::{ExtensionError, FrameSink}};
///
/// let mut frames = Vec::new();
/// let mut put = |frame| -> Result<(), ExtensionError> { frames.push(frame); Ok(()) };
/// FrameSink::new(&mut put).push(Frame::text("Hello"))?;
/// assert_eq!(frames, [Frame::text("Hello")]);
/// # Ok::<(), ExtensionError>(())
/// ```
pub struct FrameSink<'a, E> {
    put: &'a mut dyn FnMut(Frame) -> Result<(), E>,
    may_cut: bool,
    frame_size: usize,
}

impl<'a, E> FrameSink<'a, E> {
    /// Builds a sink that hands each frame to `put`, lets frames be cut anew, and asks for no size.
    pub fn new(put: &'a mut dyn FnMut(Frame) -> Result<(), E>) -> Self {
        Self { put, may_cut: true, frame_size: usize::MAX }
    }

    /// Tells that frames may be cut anew, or may not.
    #[must_use]
    pub fn with_cuts(self, may_cut: bool) -> Self {
        Self { may_cut, ..self }
    }

    /// Sets the longest payload that a frame should have, in bytes, one at least.
    #[must_use]
    pub fn with_frame_size(self, frame_size: usize) -> Self {
        Self { frame_size: frame_size.max(1), ..self }
    }

    /// Puts a frame out.
    ///
    /// # Errors
    /// When nothing more is taken, as over a limit; it is to be passed on.
    pub fn push(&mut self, frame: Frame) -> Result<(), E> {
        (self.put)(frame)
    }

    /// Tells whether frames may be cut otherwise than they came in. They may not when an extension that
    /// stands before this one in the server's answer works frame by frame: then each frame taken makes
    /// one frame, with the other reserved bits it had.
    pub fn may_cut(&self) -> bool {
        self.may_cut
    }

    /// Returns the longest payload that a frame should have, in bytes, as far as it may be cut: the session's
    /// [`fragment_size`](crate::SessionOptions::fragment_size) for an encoder, and any for a decoder.
    pub fn frame_size(&self) -> usize {
        self.frame_size
    }
}

impl<E> fmt::Debug for FrameSink<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameSink")
            .field("may_cut", &self.may_cut)
            .field("frame_size", &self.frame_size)
            .finish_non_exhaustive()
    }
}
