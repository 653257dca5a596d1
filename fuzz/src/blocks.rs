//! Writes DEFLATE that no compressor would: any block, any reference, right or wrong (RFC 1951). Knows no frame.

use arbitrary::{Arbitrary, Result, Unstructured};
use miniz_oxide::{
    DataFormat, MZFlush,
    deflate::{core::CompressorOxide, stream},
};

use crate::{
    inflater::TAIL,
    tables::{DISTANCES, LENGTHS},
};

/// A part of a message's payload.
#[derive(Debug)]
pub enum Part {
    /// Bytes as they are, whatever they mean.
    Raw(Vec<u8>),
    Stored {
        last: bool,
        bytes: Vec<u8>,
    },
    Fixed {
        last: bool,
        symbols: Vec<Symbol>,
    },
    /// What a compressor makes of it, up to a flush.
    Packed {
        level: u8,
        plain: Vec<u8>,
    },
}

#[derive(Debug)]
pub enum Symbol {
    Literal(u8),
    Repeat { len: u16, distance: u16, times: u8 },
}

#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    /// How many bits of the last byte are free.
    free: u8,
}

/// Writes the parts one behind the other; `ended` puts the empty block there that every message ends with.
pub fn write(parts: &[Part], ended: bool) -> Vec<u8> {
    let mut bits = Bits::default();
    for part in parts {
        match part {
            Part::Raw(bytes) => bits.raw(bytes),
            Part::Stored { last, bytes } => bits.stored(*last, bytes),
            Part::Fixed { last, symbols } => bits.fixed(*last, symbols),
            Part::Packed { level, plain } => {
                // Behind other bits, an empty block leads to the next whole byte.
                if bits.free > 0 {
                    bits.stored(false, &[]);
                }
                bits.raw(&packed(*level, plain));
            }
        }
    }
    if ended {
        bits.stored(false, &[]);
        bits.bytes.truncate(bits.bytes.len() - TAIL.len());
    }
    bits.bytes
}

fn packed(level: u8, plain: &[u8]) -> Vec<u8> {
    let mut compressor = CompressorOxide::default();
    compressor.set_format_and_level(DataFormat::Raw, level);
    let mut made = vec![0; plain.len() * 2 + 64];
    let result = stream::deflate(&mut compressor, plain, &mut made, MZFlush::Sync);
    made.truncate(result.bytes_written);
    made
}

impl Bits {
    /// Writes a number, its lowest bit first.
    fn put(&mut self, value: u32, count: u8) {
        for place in 0..count {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = 8;
            }
            if let Some(byte) = self.bytes.last_mut() {
                *byte |= ((value >> place & 1) as u8) << (8 - self.free);
            }
            self.free -= 1;
        }
    }

    /// Writes a code, its highest bit first.
    fn code(&mut self, value: u32, count: u8) {
        self.put(value.reverse_bits() >> (32 - count), count);
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.free = 0;
        self.bytes.extend_from_slice(bytes);
    }

    fn stored(&mut self, last: bool, bytes: &[u8]) {
        let len = bytes.len() as u16;
        self.put(last.into(), 3);
        self.raw(&len.to_le_bytes());
        self.raw(&(!len).to_le_bytes());
        self.raw(bytes);
    }

    fn fixed(&mut self, last: bool, symbols: &[Symbol]) {
        self.put(u32::from(last) | 2, 3);
        for symbol in symbols {
            match *symbol {
                Symbol::Literal(byte) => self.literal(byte.into()),
                Symbol::Repeat { len, distance, times } => {
                    for _ in 0..times {
                        self.repeat(len, distance);
                    }
                }
            }
        }
        self.literal(256);
        if last {
            self.free = 0;
        }
    }

    /// Writes a symbol of the fixed code (RFC 1951 §3.2.6).
    fn literal(&mut self, symbol: u32) {
        match symbol {
            0..=143 => self.code(0x30 + symbol, 8),
            144..=255 => self.code(0x190 + symbol - 144, 9),
            256..=279 => self.code(symbol - 256, 7),
            _ => self.code(0xc0 + symbol - 280, 8),
        }
    }

    fn repeat(&mut self, len: u16, distance: u16) {
        let (symbol, base, extra) = spread(&LENGTHS, len);
        self.literal(257 + symbol);
        self.put((len - base).into(), extra);
        let (symbol, base, extra) = spread(&DISTANCES, distance);
        self.code(symbol, 5);
        self.put((distance - base).into(), extra);
    }
}

fn spread(table: &[(u16, u8)], value: u16) -> (u32, u16, u8) {
    let index = table.partition_point(|(base, _)| *base <= value) - 1;
    let (base, extra) = table[index];
    (index as u32, base, extra)
}

impl<'a> Arbitrary<'a> for Part {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let kind: u8 = u.arbitrary()?;
        let last = kind & 0x10 != 0;
        Ok(match kind & 3 {
            0 => Self::Raw(bytes(u)?),
            1 => Self::Stored { last, bytes: bytes(u)? },
            2 => {
                let count = u.arbitrary::<u8>()? % 32;
                let symbols = (0..count).map(|_| u.arbitrary()).collect::<Result<_>>()?;
                Self::Fixed { last, symbols }
            }
            _ => Self::Packed { level: kind >> 4 & 7, plain: bytes(u)? },
        })
    }
}

impl<'a> Arbitrary<'a> for Symbol {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let kind: u8 = u.arbitrary()?;
        if kind < 0x80 {
            return Ok(Self::Literal(kind));
        }
        let len = 3 + u16::from(u.arbitrary::<u8>()?);
        let distance = 1 + (u.arbitrary::<u16>()? & 0x7fff);
        let times = if kind < 0xc0 { 1 } else { u.arbitrary()? };
        Ok(Self::Repeat { len, distance, times })
    }
}

/// Takes as many bytes as the first one says, or as many as there are.
pub fn bytes(u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let len = usize::from(u.arbitrary::<u8>()?).min(u.len());
    Ok(u.bytes(len)?.to_vec())
}
