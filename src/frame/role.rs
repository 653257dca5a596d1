//! Which end of a connection this is. Knows nothing else.

/// Which end of the connection: it decides who masks (RFC 6455 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The end that accepted the connection; sends unmasked, receives masked.
    Server,
    /// The end that dialled; sends masked, receives unmasked.
    Client,
}
