//! What kind of failure a call met: the numbers of gRPC. Knows no wire.

use std::fmt;

/// The code of a [`Status`](crate::rpc::Status): one of gRPC's, 0 to 16, or an application's own, from 17 on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(i32);

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal;)*) => {
        impl Code {
            $($(#[$doc])* pub const $name: Self = Self($number);)*

            /// Returns the name of one of gRPC's codes.
            pub fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

codes! {
    /// The call succeeded.
    OK = 0;
    /// The call was cancelled.
    CANCELLED = 1;
    /// Anything that has no better code.
    UNKNOWN = 2;
    /// The arguments do not fit the method.
    INVALID_ARGUMENT = 3;
    /// The call took longer than it may.
    DEADLINE_EXCEEDED = 4;
    /// What was asked for is not there.
    NOT_FOUND = 5;
    /// What was to be made is there already.
    ALREADY_EXISTS = 6;
    /// The caller may not do this.
    PERMISSION_DENIED = 7;
    /// A limit is reached: of calls in flight, of streams, of bytes, of a quota.
    RESOURCE_EXHAUSTED = 8;
    /// The system is not in the state that the call needs.
    FAILED_PRECONDITION = 9;
    /// The call was given up, as after a conflict; it may be tried again from its beginning.
    ABORTED = 10;
    /// Something is past its valid range.
    OUT_OF_RANGE = 11;
    /// There is no such method.
    UNIMPLEMENTED = 12;
    /// The callee failed; a panic of a handler is told so.
    INTERNAL = 13;
    /// The callee does not take calls now; the same call may succeed later.
    UNAVAILABLE = 14;
    /// Data is lost or damaged.
    DATA_LOSS = 15;
    /// It is not known who the caller is.
    UNAUTHENTICATED = 16;
}

impl Code {
    /// Takes a number of gRPC, 0 to 16, or of the application, from 17 on. Anything below is [`UNKNOWN`](Self::UNKNOWN).
    pub const fn new(number: i32) -> Self {
        if number < 0 { Self::UNKNOWN } else { Self(number) }
    }

    /// Returns the number.
    pub const fn number(self) -> i32 {
        self.0
    }

    /// Tells whether this is an application's own code.
    pub const fn is_application(self) -> bool {
        self.0 > 16
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
