// What the permessage-deflate checks send. Runs in node, where bytes are Buffers, and in a browser, where
// they are Uint8Arrays.

const MULTIBYTE = 'aé€😀\u0000\uffff\u{10ffff}';
// It shrinks even alone, so that each memory mode compresses it.
const SHORT_JSON = '{"kind":"order","items":[{"id":1,"count":1},{"id":2,"count":2},{"id":3,"count":3}],"id":76}';

function orders(size) {
  const text = JSON.stringify(
    Array.from({ length: Math.ceil(size / 60) }, (_, id) => ({ id, customer: 'Grace Hopper', price: (id * 7919) % 100_000, note: null })),
  );
  return text.slice(0, size);
}

export const KIB_JSON = orders(1 << 10);
const MIB_JSON = orders(1 << 20);
const LONG_TEXT = Array.from({ length: 7000 }, (_, at) => `${(at * 7919) % 6007} é€😀 `).join('');

// Incompressible, and the same in each run (xorshift32).
function noise(length) {
  let state = 7692;
  return Uint8Array.from({ length }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state;
  });
}

const bytes = globalThis.Buffer ? (array) => Buffer.from(array) : (array) => array;
const NOISE = bytes(noise(10 << 10));

// What is sent twice to see how far each side looks back. The long one is chance and a run, which shrinks
// even without its first copy, so that it is compressed; twice it is beyond a window of 9 or 10 bits, and well within
// one of 12.
export const PROBES = [
  { message: SHORT_JSON, reachedFrom: 9, short: true },
  { message: bytes(noise(3200).map((byte, at) => (at < 3000 ? byte % 128 : 0))), reachedFrom: 12, short: false },
];
export const SMALL = ['', '', 'x', bytes([]), KIB_JSON, MULTIBYTE.repeat(50), NOISE, KIB_JSON];
export const LARGE = [LONG_TEXT, MIB_JSON];
export const FRAGMENTED = [
  [SHORT_JSON, '', KIB_JSON, MULTIBYTE],
  [NOISE.slice(0, 1), NOISE.slice(1, 9000), NOISE.slice(9000)],
];
