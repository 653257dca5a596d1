//! Guards what is inside containers: seeds, elements, entries, variants. Knows no concrete format.

use std::{alloc::Layout, cell::Cell};

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::{
    decode::{Context, GuardedDeserializer},
    growth::{MapGrowth, VecGrowth},
    visitor::GuardedVisitor,
};

/// A seed that decodes under guard, into a place of its value's size.
struct GuardedSeed<'g, S, const ONLY: bool> {
    inner: S,
    context: Context<'g, ONLY>,
}

impl<'de, S: DeserializeSeed<'de>, const ONLY: bool> DeserializeSeed<'de> for GuardedSeed<'_, S, ONLY> {
    type Value = S::Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        self.inner.deserialize(GuardedDeserializer::<_, S::Value, ONLY>::new(inner, self.context))
    }
}

/// The size hint of one container: granted from the budget once, when first asked for.
struct Hint(Cell<Option<usize>>);

impl Hint {
    #[inline]
    fn new() -> Self {
        Self(Cell::new(None))
    }

    #[inline]
    fn grant<const ONLY: bool>(&self, declared: Option<usize>, context: Context<'_, ONLY>) -> Option<usize> {
        let granted = self.0.get().unwrap_or_else(|| context.grant(declared.unwrap_or_default()));
        self.0.set(Some(granted));
        declared.map(|declared| declared.min(granted))
    }

    /// Returns what was granted, if it was asked for.
    #[inline]
    fn granted(&self) -> Option<usize> {
        self.0.get()
    }
}

/// The elements of a sequence under guard, charged as those of a vector.
pub(super) struct GuardedSeq<'g, A, const ONLY: bool> {
    inner: A,
    context: Context<'g, ONLY>,
    hint: Hint,
    growth: VecGrowth,
    /// How many more elements are paid for.
    room: usize,
}

impl<'g, A, const ONLY: bool> GuardedSeq<'g, A, ONLY> {
    #[inline]
    pub(super) fn new(inner: A, context: Context<'g, ONLY>) -> Self {
        Self { inner, context, hint: Hint::new(), growth: VecGrowth::default(), room: 0 }
    }

    /// Charges what was made for the hint, before the first element is decoded.
    #[inline(never)]
    fn begin<E: Error>(&mut self, size: usize) -> Result<(), E> {
        if self.growth.capacity == 0 {
            self.context.charge(self.growth.begin(self.hint.granted().unwrap_or_default(), size))?;
            self.room = self.growth.capacity;
        }
        Ok(())
    }

    /// Charges room for more, one of which is there already.
    #[inline(never)]
    fn grow<E: Error>(&mut self, size: usize) -> Result<(), E> {
        let step = self.growth.grow(size);
        self.context.charge(step.bytes)?;
        self.room = step.room - 1;
        Ok(())
    }
}

impl<'de, A: SeqAccess<'de>, const ONLY: bool> SeqAccess<'de> for GuardedSeq<'_, A, ONLY> {
    type Error = A::Error;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        let size = size_of::<S::Value>();
        if size > 0 && self.room == 0 {
            self.begin(size)?;
        }
        // What comes is large: it is looked at where it is, and not moved.
        let mut element = self.inner.next_element_seed(GuardedSeed { inner: seed, context: self.context });
        if size > 0 && matches!(element, Ok(Some(_))) {
            match self.room.checked_sub(1) {
                Some(room) => self.room = room,
                None => {
                    if let Err(error) = self.grow(size) {
                        element = Err(error);
                    }
                }
            }
        }
        element
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.hint.grant(self.inner.size_hint(), self.context)
    }
}

/// The entries of a map under guard, charged as those of a hash table or of a tree.
pub(super) struct GuardedMap<'g, A, const ONLY: bool> {
    inner: A,
    context: Context<'g, ONLY>,
    hint: Hint,
    growth: MapGrowth,
    /// How many more entries are paid for.
    room: usize,
}

impl<'g, A, const ONLY: bool> GuardedMap<'g, A, ONLY> {
    #[inline]
    pub(super) fn new(inner: A, context: Context<'g, ONLY>) -> Self {
        Self { inner, context, hint: Hint::new(), growth: MapGrowth::new(), room: 0 }
    }

    /// Charges the keys' part of what was made for the hint, before the first key is decoded.
    #[inline(never)]
    fn begin<E: Error>(&mut self) -> Result<(), E> {
        match self.hint.granted() {
            Some(hint) if !self.growth.has_begun() => self.context.charge(self.growth.begin(hint)),
            _ => Ok(()),
        }
    }

    #[inline(never)]
    fn grow<E: Error>(&mut self, value: Layout) -> Result<(), E> {
        let step = self.growth.grow(value, self.hint.granted());
        self.context.charge(step.bytes)?;
        self.context.give_back(step.freed);
        self.room = step.room;
        Ok(())
    }
}

impl<'de, A: MapAccess<'de>, const ONLY: bool> MapAccess<'de> for GuardedMap<'_, A, ONLY> {
    type Error = A::Error;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.growth.key = Layout::new::<S::Value>();
        if size_of::<S::Value>() > 0 && self.room == 0 {
            self.begin()?;
        }
        self.inner.next_key_seed(GuardedSeed { inner: seed, context: self.context })
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        if self.room == 0 {
            self.grow(Layout::new::<S::Value>())?;
        }
        self.room -= 1;
        self.inner.next_value_seed(GuardedSeed { inner: seed, context: self.context })
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.hint.grant(self.inner.size_hint(), self.context)
    }
}

/// The fields of a struct or a tuple under guard. They lie in the value itself, so they cost nothing here, and their
/// number is known, so there is no hint.
pub(super) struct GuardedFields<'g, A, const ONLY: bool> {
    pub(super) inner: A,
    pub(super) context: Context<'g, ONLY>,
}

impl<'de, A: SeqAccess<'de>, const ONLY: bool> SeqAccess<'de> for GuardedFields<'_, A, ONLY> {
    type Error = A::Error;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.inner.next_element_seed(GuardedSeed { inner: seed, context: self.context })
    }
}

impl<'de, A: MapAccess<'de>, const ONLY: bool> MapAccess<'de> for GuardedFields<'_, A, ONLY> {
    type Error = A::Error;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.inner.next_key_seed(GuardedSeed { inner: seed, context: self.context })
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.inner.next_value_seed(GuardedSeed { inner: seed, context: self.context })
    }
}

/// An enum, and then its variant, under guard.
pub(super) struct GuardedEnum<'g, A, const ONLY: bool> {
    pub(super) inner: A,
    pub(super) context: Context<'g, ONLY>,
}

impl<'de, 'g, A: EnumAccess<'de>, const ONLY: bool> EnumAccess<'de> for GuardedEnum<'g, A, ONLY> {
    type Error = A::Error;
    type Variant = GuardedEnum<'g, A::Variant, ONLY>;

    #[inline]
    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self::Variant), A::Error> {
        let context = self.context;
        let (value, inner) = self.inner.variant_seed(GuardedSeed { inner: seed, context })?;
        Ok((value, GuardedEnum { inner, context }))
    }
}

impl<'de, A: VariantAccess<'de>, const ONLY: bool> VariantAccess<'de> for GuardedEnum<'_, A, ONLY> {
    type Error = A::Error;

    #[inline]
    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    #[inline]
    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        let context = self.context.container()?;
        self.inner.newtype_variant_seed(GuardedSeed { inner: seed, context })
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(self, len: usize, inner: V) -> Result<V::Value, A::Error> {
        let context = self.context.container()?;
        self.inner.tuple_variant(len, GuardedVisitor::<_, true, ONLY> { inner, context })
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        inner: V,
    ) -> Result<V::Value, A::Error> {
        let context = self.context.container()?;
        self.inner.struct_variant(fields, GuardedVisitor::<_, true, ONLY> { inner, context })
    }
}
