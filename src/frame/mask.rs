//! Masking (RFC 6455 §5.3): its own inverse. Knows only bytes and a key.

/// How many bytes are masked at once: enough for the widest registers.
const BLOCK: usize = 32;

/// Masks or unmasks `payload` in place. `offset` is where `payload` begins in its frame.
#[inline]
pub(crate) fn apply_mask(payload: &mut [u8], key: [u8; 4], offset: u64) {
    let turned = u32::from_ne_bytes(key).rotate(offset).to_ne_bytes();
    let mut wide = [0; BLOCK];
    for four in wide.as_chunks_mut::<4>().0 {
        *four = turned;
    }
    let (blocks, rest) = payload.as_chunks_mut::<BLOCK>();
    for block in blocks {
        for (byte, mask) in block.iter_mut().zip(wide) {
            *byte ^= mask;
        }
    }
    let (fours, rest) = rest.as_chunks_mut::<4>();
    for four in fours {
        *four = (u32::from_ne_bytes(*four) ^ u32::from_ne_bytes(turned)).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(turned) {
        *byte ^= mask;
    }
}

/// Turns a key so that its first byte is the one for `offset`.
trait RotateKey {
    fn rotate(self, offset: u64) -> Self;
}

impl RotateKey for u32 {
    fn rotate(self, offset: u64) -> Self {
        let bits = 8 * (offset % 4) as u32;
        if cfg!(target_endian = "little") { self.rotate_right(bits) } else { self.rotate_left(bits) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masking_in_pieces_is_masking_byte_by_byte() {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        let plain: Vec<u8> = (0..100).collect();
        let expected: Vec<u8> = plain.iter().enumerate().map(|(i, b)| b ^ key[i % 4]).collect();
        for cut in 0..=plain.len() {
            let mut bytes = plain.clone();
            let (head, tail) = bytes.split_at_mut(cut);
            apply_mask(head, key, 0);
            apply_mask(tail, key, cut as u64);
            assert_eq!(bytes, expected, "cut at {cut}");
        }
    }

    #[test]
    fn the_rfc_example_unmasks_to_hello() {
        let mut payload = [0x7f, 0x9f, 0x4d, 0x51, 0x58];
        apply_mask(&mut payload, [0x37, 0xfa, 0x21, 0x3d], 0);
        assert_eq!(&payload, b"Hello");
    }
}
