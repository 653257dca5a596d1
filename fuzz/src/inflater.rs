//! The second opinion on DEFLATE: reads it bit by bit (RFC 1951), as simply as can be. Knows no frame.

use crate::tables::{DISTANCES, LENGTHS};

/// What a sender cuts off the end of each message (RFC 7692 §7.2.1).
pub const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// The order in which a dynamic block gives the lengths of its first code (RFC 1951 §3.2.7).
const CODE_LENGTH_ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const LONGEST_CODE: usize = 15;
const END_OF_BLOCK: u16 = 256;

/// What was said in one direction, and how much of it a sender may refer to.
#[derive(Clone, Debug)]
pub struct Past {
    said: Vec<u8>,
    since_final: usize,
    window: usize,
    takeover: bool,
}

/// What a message says.
#[derive(Debug)]
pub struct Reading {
    pub plain: Vec<u8>,
    pub end: End,
    /// Whether no reference goes beyond the sender's window, or behind a final block.
    pub in_window: bool,
    /// How many of the blocks said that they were the last.
    pub finals: usize,
    since_final: usize,
}

/// How a message ends, once the tail is put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With the last bit of the tail.
    Clean,
    /// With a block that ends with the tail and says that it is the last.
    Final,
    /// Inside the last byte of the tail, so that some bits of it are left.
    Ragged,
    /// Nowhere: it is not DEFLATE, or was cut elsewhere.
    Wrong,
    /// It says more than the limit before anything else.
    Over,
}

enum Stop {
    Wrong,
    Over,
}

struct Reader {
    wire: Vec<u8>,
    at_bit: usize,
    tail_from_bit: usize,
    /// The past, and behind it what the message has said so far.
    said: Vec<u8>,
    past_len: usize,
    /// Where the window cannot reach behind.
    wall: usize,
    window: usize,
    limit: usize,
    in_window: bool,
    said_in_tail: bool,
}

struct Huffman {
    counts: [u16; LONGEST_CODE + 1],
    symbols: Vec<u16>,
}

impl Past {
    /// Begins a connection with a window of 2^`bits` bytes.
    pub fn new(bits: u8, takeover: bool) -> Self {
        Self { said: Vec::new(), since_final: 0, window: 1 << bits, takeover }
    }

    /// Reads a message's payload; it may say `limit` bytes.
    pub fn read(&self, payload: &[u8], limit: usize) -> Reading {
        let past_len = self.said.len();
        let mut reader = Reader {
            wire: [payload, &TAIL].concat(),
            at_bit: 0,
            tail_from_bit: payload.len() * 8,
            said: self.said.clone(),
            past_len,
            wall: past_len - self.since_final,
            window: self.window,
            limit,
            in_window: true,
            said_in_tail: false,
        };
        let (end, finals) = reader.message();
        let since_final = reader.said.len() - reader.wall;
        let plain = reader.said.split_off(past_len);
        Reading { plain, end, in_window: reader.in_window, finals, since_final }
    }

    /// Takes note of a message that was delivered.
    pub fn remember(&mut self, reading: &Reading) {
        if !self.takeover {
            return;
        }
        self.said.extend_from_slice(&reading.plain);
        let old = self.said.len().saturating_sub(1 << 15);
        self.said.drain(..old);
        self.since_final = reading.since_final.min(self.said.len());
    }
}

impl Reader {
    fn message(&mut self) -> (End, usize) {
        let (mut finals, mut was_final) = (0, false);
        loop {
            let boundary = self.at_bit;
            let ends = boundary > self.tail_from_bit && !self.said_in_tail;
            if boundary == self.wire.len() * 8 {
                let end = match (ends, was_final) {
                    (true, false) => End::Clean,
                    (true, true) => End::Final,
                    (false, _) => End::Wrong,
                };
                return (end, finals);
            }
            match self.block() {
                Ok(last) => was_final = last,
                Err(Stop::Over) => return (End::Over, finals),
                Err(Stop::Wrong) if ends && !was_final && self.at_last_byte(boundary) => {
                    return (End::Ragged, finals);
                }
                Err(Stop::Wrong) => return (End::Wrong, finals),
            }
            if was_final {
                finals += 1;
                self.skip_to_byte();
                self.wall = self.said.len();
            }
        }
    }

    /// Reads a block, and tells whether it says that it is the last (RFC 1951 §3.2.3).
    fn block(&mut self) -> Result<bool, Stop> {
        let last = self.bits(1)? == 1;
        match self.bits(2)? {
            0 => self.stored()?,
            1 => {
                let (literals, distances) = Huffman::fixed()?;
                self.symbols(&literals, &distances)?;
            }
            2 => {
                let (literals, distances) = self.dynamic()?;
                self.symbols(&literals, &distances)?;
            }
            _ => return Err(Stop::Wrong),
        }
        Ok(last)
    }

    fn stored(&mut self) -> Result<(), Stop> {
        self.skip_to_byte();
        let len = self.bits(16)?;
        if self.bits(16)? != !len & 0xffff {
            return Err(Stop::Wrong);
        }
        for _ in 0..len {
            let byte = self.bits(8)? as u8;
            self.say(byte)?;
        }
        Ok(())
    }

    /// Reads the two codes of a dynamic block (RFC 1951 §3.2.7).
    fn dynamic(&mut self) -> Result<(Huffman, Huffman), Stop> {
        let literals = self.bits(5)? as usize + 257;
        let distances = self.bits(5)? as usize + 1;
        let code_lengths = self.bits(4)? as usize + 4;
        if literals > 286 || distances > 30 {
            return Err(Stop::Wrong);
        }
        let mut lengths = [0; 19];
        for place in &CODE_LENGTH_ORDER[..code_lengths] {
            lengths[*place] = self.bits(3)? as u8;
        }
        let code = Huffman::complete(&lengths)?;
        let mut lengths = Vec::new();
        while lengths.len() < literals + distances {
            let (length, times) = match self.symbol(&code)? {
                16 => (*lengths.last().ok_or(Stop::Wrong)?, 3 + self.bits(2)?),
                17 => (0, 3 + self.bits(3)?),
                18 => (0, 11 + self.bits(7)?),
                length => (length as u8, 1),
            };
            lengths.extend((0..times).map(|_| length));
        }
        if lengths.len() > literals + distances || lengths[usize::from(END_OF_BLOCK)] == 0 {
            return Err(Stop::Wrong);
        }
        let (literals, distances) = lengths.split_at(literals);
        Ok((Huffman::single_or_complete(literals)?, Huffman::single_or_complete(distances)?))
    }

    fn symbols(&mut self, literals: &Huffman, distances: &Huffman) -> Result<(), Stop> {
        loop {
            match self.symbol(literals)? {
                END_OF_BLOCK => return Ok(()),
                literal @ 0..END_OF_BLOCK => self.say(literal as u8)?,
                symbol => {
                    let len = self.spread(&LENGTHS, symbol - END_OF_BLOCK - 1)?;
                    let symbol = self.symbol(distances)?;
                    let distance = self.spread(&DISTANCES, symbol)?;
                    self.repeat(len, distance)?;
                }
            }
        }
    }

    fn spread(&mut self, table: &[(u16, u8)], symbol: u16) -> Result<usize, Stop> {
        let (base, extra) = *table.get(usize::from(symbol)).ok_or(Stop::Wrong)?;
        Ok(usize::from(base) + self.bits(extra)? as usize)
    }

    fn repeat(&mut self, len: usize, distance: usize) -> Result<(), Stop> {
        let from = self.said.len().checked_sub(distance).ok_or(Stop::Wrong)?;
        self.in_window &= from >= self.wall && distance <= self.window;
        for index in from..from + len {
            self.say(self.said[index])?;
        }
        Ok(())
    }

    fn say(&mut self, byte: u8) -> Result<(), Stop> {
        self.said_in_tail |= self.at_bit > self.tail_from_bit;
        self.said.push(byte);
        if self.said.len() - self.past_len > self.limit { Err(Stop::Over) } else { Ok(()) }
    }

    /// Reads a symbol (RFC 1951 §3.2.2): codes of one length are consecutive numbers, the first bit on top.
    fn symbol(&mut self, huffman: &Huffman) -> Result<u16, Stop> {
        let bits = self.ahead();
        let (mut code, mut first, mut index) = (0, 0, 0);
        for (len, count) in huffman.counts.iter().enumerate().skip(1) {
            let count = usize::from(*count);
            code |= (bits >> (len - 1) & 1) as usize;
            if code < first + count {
                self.pass(len)?;
                return Ok(huffman.symbols[index + code - first]);
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        Err(Stop::Wrong)
    }

    fn bits(&mut self, count: u8) -> Result<u32, Stop> {
        let bits = self.ahead() & ((1 << count) - 1);
        self.pass(count.into())?;
        Ok(bits)
    }

    /// Returns at least 24 bits that come next; zeros behind the end.
    fn ahead(&self) -> u32 {
        let next = self.wire.get(self.at_bit / 8..).unwrap_or_default();
        let mut bytes = [0; 4];
        let len = next.len().min(bytes.len());
        bytes[..len].copy_from_slice(&next[..len]);
        u32::from_le_bytes(bytes) >> (self.at_bit % 8)
    }

    fn pass(&mut self, bits: usize) -> Result<(), Stop> {
        self.at_bit += bits;
        if self.at_bit > self.wire.len() * 8 { Err(Stop::Wrong) } else { Ok(()) }
    }

    fn at_last_byte(&self, bit: usize) -> bool {
        bit > (self.wire.len() - 1) * 8
    }

    fn skip_to_byte(&mut self) {
        self.at_bit = self.at_bit.next_multiple_of(8);
    }
}

impl Huffman {
    /// Builds a code out of the lengths of its symbols, and tells how much of the room for codes is left.
    fn new(lengths: &[u8]) -> Result<(Self, i32), Stop> {
        let mut counts = [0; LONGEST_CODE + 1];
        let mut symbols: Vec<u16> = (0..lengths.len() as u16).collect();
        symbols.retain(|symbol| lengths[usize::from(*symbol)] > 0);
        symbols.sort_by_key(|symbol| lengths[usize::from(*symbol)]);
        let mut left = 1;
        for (length, count) in counts.iter_mut().enumerate().skip(1) {
            *count = lengths.iter().filter(|known| usize::from(**known) == length).count() as u16;
            left = left * 2 - i32::from(*count);
            if left < 0 {
                return Err(Stop::Wrong);
            }
        }
        Ok((Self { counts, symbols }, left))
    }

    fn complete(lengths: &[u8]) -> Result<Self, Stop> {
        let (code, left) = Self::new(lengths)?;
        if left == 0 { Ok(code) } else { Err(Stop::Wrong) }
    }

    /// Builds a code that may be incomplete if it has one symbol of one bit, or none (RFC 1951 §3.2.7).
    fn single_or_complete(lengths: &[u8]) -> Result<Self, Stop> {
        let (code, left) = Self::new(lengths)?;
        let few = code.symbols.is_empty() || (code.symbols.len() == 1 && code.counts[1] == 1);
        if left == 0 || few { Ok(code) } else { Err(Stop::Wrong) }
    }

    /// The codes of a fixed block (RFC 1951 §3.2.6).
    fn fixed() -> Result<(Self, Self), Stop> {
        let mut literals = [8; 288];
        literals[144..256].fill(9);
        literals[256..280].fill(7);
        Ok((Self::complete(&literals)?, Self::complete(&[5; 32])?))
    }
}
