//! Guards what is inside containers: seeds, elements, entries, variants. Knows no concrete format.

use std::cell::Cell;

use serde::de::{DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};

use super::{
    decode::{Context, GuardedDeserializer},
    visitor::GuardedVisitor,
};

/// A seed that decodes under guard.
struct GuardedSeed<'g, S> {
    inner: S,
    context: Context<'g>,
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for GuardedSeed<'_, S> {
    type Value = S::Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        self.inner.deserialize(GuardedDeserializer { inner, context: self.context })
    }
}

/// The size hint of one container: granted from the budget once, when first asked for.
struct Hint(Cell<Option<usize>>);

impl Hint {
    #[inline]
    fn grant(&self, declared: Option<usize>, context: Context<'_>) -> Option<usize> {
        let declared = declared?;
        let granted = self.0.get().unwrap_or_else(|| context.grant(declared));
        self.0.set(Some(granted));
        Some(declared.min(granted))
    }
}

/// The elements of an array under guard.
pub(super) struct GuardedSeq<'g, A> {
    inner: A,
    context: Context<'g>,
    hint: Hint,
}

impl<'g, A> GuardedSeq<'g, A> {
    #[inline]
    pub(super) fn new(inner: A, context: Context<'g>) -> Self {
        Self { inner, context, hint: Hint(Cell::new(None)) }
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for GuardedSeq<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, inner: S) -> Result<Option<S::Value>, A::Error> {
        self.inner.next_element_seed(GuardedSeed { inner, context: self.context })
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.hint.grant(self.inner.size_hint(), self.context)
    }
}

/// The entries of a map under guard.
pub(super) struct GuardedMap<'g, A> {
    inner: A,
    context: Context<'g>,
    hint: Hint,
}

impl<'g, A> GuardedMap<'g, A> {
    #[inline]
    pub(super) fn new(inner: A, context: Context<'g>) -> Self {
        Self { inner, context, hint: Hint(Cell::new(None)) }
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for GuardedMap<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, inner: S) -> Result<Option<S::Value>, A::Error> {
        self.inner.next_key_seed(GuardedSeed { inner, context: self.context })
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, inner: S) -> Result<S::Value, A::Error> {
        self.inner.next_value_seed(GuardedSeed { inner, context: self.context })
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.hint.grant(self.inner.size_hint(), self.context)
    }
}

/// An enum, and then its variant, under guard.
pub(super) struct GuardedEnum<'g, A> {
    pub(super) inner: A,
    pub(super) context: Context<'g>,
}

impl<'de, 'g, A: EnumAccess<'de>> EnumAccess<'de> for GuardedEnum<'g, A> {
    type Error = A::Error;
    type Variant = GuardedEnum<'g, A::Variant>;

    #[inline]
    fn variant_seed<S: DeserializeSeed<'de>>(self, inner: S) -> Result<(S::Value, Self::Variant), A::Error> {
        let context = self.context;
        let (value, inner) = self.inner.variant_seed(GuardedSeed { inner, context })?;
        Ok((value, GuardedEnum { inner, context }))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for GuardedEnum<'_, A> {
    type Error = A::Error;

    #[inline]
    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    #[inline]
    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, inner: S) -> Result<S::Value, A::Error> {
        let context = self.context.container()?;
        self.inner.newtype_variant_seed(GuardedSeed { inner, context })
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(self, len: usize, inner: V) -> Result<V::Value, A::Error> {
        let context = self.context.container()?;
        self.inner.tuple_variant(len, GuardedVisitor { inner, context })
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        inner: V,
    ) -> Result<V::Value, A::Error> {
        let context = self.context.container()?;
        self.inner.struct_variant(fields, GuardedVisitor { inner, context })
    }
}
