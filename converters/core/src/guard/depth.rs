//! How deep a value may nest, and what was refused so far. Knows neither serializers nor deserializers.

use std::{borrow::Cow, cell::Cell, fmt};

use super::brief::Brief;
use crate::{ConvertError, ConvertErrorKind};

/// How many arrays and maps may be nested in one another in a payload.
pub const MAX_CONTAINERS: u8 = 64;

/// How many layers that leave no trace in a payload (`Some`, newtypes) may follow one another.
pub const MAX_LAYERS: u8 = 16;

/// A place in a value, as the number of containers and layers around it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Depth {
    containers: u8,
    layers: u8,
}

impl Depth {
    /// Goes into an array or a map.
    #[inline]
    pub(super) fn container(self) -> Result<Self, Refused> {
        if self.containers == MAX_CONTAINERS {
            return Err(Refused::Containers);
        }
        Ok(Self { containers: self.containers + 1, layers: 0 })
    }

    /// Goes into a `Some` or a newtype.
    #[inline]
    pub(super) fn layer(self) -> Result<Self, Refused> {
        if self.layers == MAX_LAYERS {
            return Err(Refused::Layers);
        }
        Ok(Self { containers: self.containers, layers: self.layers + 1 })
    }
}

/// A verdict against a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Refused {
    Containers,
    Layers,
    NotFinite,
    TooWide,
    /// With the limit in bytes.
    TooLarge(usize),
}

impl Refused {
    fn kind(self) -> ConvertErrorKind {
        match self {
            Self::Containers | Self::Layers => ConvertErrorKind::TooDeep,
            Self::NotFinite | Self::TooWide => ConvertErrorKind::Number,
            Self::TooLarge(_) => ConvertErrorKind::TooLarge,
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Containers => "more than 64 arrays and maps are nested",
            Self::Layers => "more than 16 options and newtypes are nested",
            Self::NotFinite => "a number is NaN or infinite",
            Self::TooWide => "an integer needs more than 64 bits",
            Self::TooLarge(limit) => return write!(f, "the value takes more than {limit} bytes of memory"),
        })
    }
}

/// Remembers the last refusal while it travels through a format crate's own error type.
#[derive(Debug, Default)]
pub(super) struct Verdict(Cell<Option<Refused>>);

impl Verdict {
    /// Unwraps a result, and otherwise notes the refusal and turns it into the format's error.
    #[inline]
    pub(super) fn accept<T, E>(&self, result: Result<T, Refused>, error: fn(Refused) -> E) -> Result<T, E> {
        match result {
            Ok(value) => Ok(value),
            Err(refused) => Err(self.refuse(refused, error)),
        }
    }

    #[cold]
    pub(super) fn refuse<E>(&self, refused: Refused, error: fn(Refused) -> E) -> E {
        self.0.set(Some(refused));
        error(refused)
    }

    /// Returns the kind of the last refusal.
    pub(super) fn kind(&self) -> Option<ConvertErrorKind> {
        self.0.get().map(Refused::kind)
    }

    /// Builds the error for a conversion that failed, of the verdict if one was passed, else with what `otherwise` makes
    /// of what the format says.
    #[cold]
    pub(super) fn into_error<E: fmt::Display>(
        self,
        error: E,
        otherwise: impl FnOnce(E) -> ConvertError,
    ) -> ConvertError {
        match self.0.get() {
            Some(refused) => {
                ConvertError::new(refused.kind(), refused.to_string()).with_detail(Brief(error).to_string())
            }
            None => otherwise(error),
        }
    }

    /// Builds the error for a conversion that failed of which `text` may be shown: it holds no value of the payload.
    #[cold]
    pub(super) fn into_error_saying(
        self,
        otherwise: ConvertErrorKind,
        text: impl Into<Cow<'static, str>>,
        error: impl fmt::Display,
    ) -> ConvertError {
        self.into_error(error, |error| ConvertError::new(otherwise, text).with_detail(error.to_string()))
    }
}

/// Refuses NaN and the infinities.
#[inline]
pub(super) fn finite(value: f64) -> Result<f64, Refused> {
    if value.is_finite() { Ok(value) } else { Err(Refused::NotFinite) }
}

/// Refuses what does not fit 64 bits.
#[inline]
pub(super) fn narrow<W, N: TryFrom<W>>(value: W) -> Result<N, Refused> {
    N::try_from(value).map_err(|_| Refused::TooWide)
}
