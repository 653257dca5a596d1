//! Frames of MessagePack by hand, as a peer writes them that does what it may and more. Knows no conversation.
#![allow(dead_code, unreachable_pub)]

/// The bytes of a message with default limits.
pub const LONGEST: usize = 1024 * 1024;

/// A hello that leaves everything to its defaults.
pub const HELLO: &[u8] = &[0x92, 0, 0x80];
/// A ping.
pub const PING: &[u8] = &[0x91, 12];
/// A frame of a kind that is none.
pub const UNKNOWN: &[u8] = &[0x91, 99];
/// No arguments.
pub const NONE: &[u8] = &[0x90];
pub const NIL: u8 = 0xc0;

/// A hello with a token of so many bytes.
pub fn hello_with_token(len: usize) -> Vec<u8> {
    [&[0x92, 0, 0x81][..], &text("token"), &text(&"t".repeat(len))].concat()
}

/// A goaway with a reason of so many bytes.
pub fn go_away(len: usize) -> Vec<u8> {
    [&[0x92, 13, 0x81][..], &text("reason"), &text(&"r".repeat(len))].concat()
}

pub fn call(id: u32, method: &str, args: &[u8]) -> Vec<u8> {
    [&[0x94, 1][..], &number(id), &text(method), args].concat()
}

/// A call that the caller waits so many milliseconds for.
pub fn call_within(id: u32, method: &str, millis: u32, args: &[u8]) -> Vec<u8> {
    [&[0x95, 1][..], &number(id), &text(method), &[0x81], &text("dl"), &number(millis), args].concat()
}

/// A call that lasts for as long as the callee lets it.
pub fn lasting_call(id: u32, method: &str, args: &[u8]) -> Vec<u8> {
    call_within(id, method, u32::MAX, args)
}

/// The same, with so many headers of so many bytes each.
pub fn call_with_headers(id: u32, method: &str, (count, len): (u8, usize), args: &[u8]) -> Vec<u8> {
    let value = text(&"h".repeat(len));
    let headers = (0..count).flat_map(|n| [text(&format!("h{n:02}")), value.clone()]).flatten();
    let deadline = [text("dl"), number(u32::MAX)].concat();
    let meta: Vec<u8> = [0xde, 0, count + 1].into_iter().chain(deadline).chain(headers).collect();
    [&[0x95, 1][..], &number(id), &text(method), &meta, args].concat()
}

pub fn notify(method: &str, args: &[u8]) -> Vec<u8> {
    [&[0x93, 2][..], &text(method), args].concat()
}

pub fn item(id: u32, value: &[u8]) -> Vec<u8> {
    [&[0x93, 5][..], &number(id), value].concat()
}

pub fn end(id: u32) -> Vec<u8> {
    [&[0x92, 6][..], &number(id)].concat()
}

pub fn cancel(id: u32) -> Vec<u8> {
    [&[0x92, 7][..], &number(id)].concat()
}

/// Credit as the peer's hello says that it is understood: in items, or in items and bytes.
pub fn credit(id: u32, items: u32, bytes: u32, heard: &[u8]) -> Vec<u8> {
    let count = 3 + u8::from(counts_bytes(heard));
    let bytes = if counts_bytes(heard) { number(bytes) } else { Vec::new() };
    [&[0x90 | count, 8][..], &number(id), &number(items), &bytes].concat()
}

/// Tells whether a hello has a window of items and bytes.
fn counts_bytes(hello: &[u8]) -> bool {
    let behind = hello.windows(7).position(|key| key == b"\xa6window").map(|at| at + 7);
    behind.and_then(|at| hello.get(at)).is_some_and(|first| first & 0xf0 == 0x90)
}

/// An array of one value, which is the arguments of a method with one.
pub fn one(value: &[u8]) -> Vec<u8> {
    [&[0x91], value].concat()
}

/// An array of so many elements of one byte.
pub fn array_of(element: u8, count: usize) -> Vec<u8> {
    let mut array = vec![0xdd];
    array.extend((count as u32).to_be_bytes());
    array.resize(array.len() + count, element);
    array
}

pub fn number(value: u32) -> Vec<u8> {
    match value {
        0..=0x7f => vec![value as u8],
        0x80..=0xffff => [&[0xcd][..], &(value as u16).to_be_bytes()].concat(),
        _ => [&[0xce][..], &value.to_be_bytes()].concat(),
    }
}

pub fn text(text: &str) -> Vec<u8> {
    let head = match text.len() {
        len @ 0..32 => vec![0xa0 | len as u8],
        len => [&[0xdb][..], &(len as u32).to_be_bytes()].concat(),
    };
    [&head, text.as_bytes()].concat()
}

/// The id of a client's call, counted from 0.
pub fn id(count: usize) -> u32 {
    2 * count as u32 + 1
}

/// So many frames, each made of its number, in one message.
pub fn many(count: usize, frame: impl Fn(usize) -> Vec<u8>) -> Vec<u8> {
    (0..count).flat_map(frame).collect()
}
