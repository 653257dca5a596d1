// The combinations of permessage-deflate's parameters, and the rules that they follow. Runs in node and in a browser.

const FLAGS = [false, true];
const SERVER_BITS = [null, 9, 10, 12, 15];
const CLIENT_BITS = [null, 9, 12, 15];
// In an offer `client_max_window_bits` may also stand without a value.
const OFFERED_CLIENT_BITS = [null, true, 9, 12, 15];
// The servers' `MemoryMode::Compact { history: 1024 }` needs a peer that looks back no further than this.
const COMPACT_BITS = 10;
const FRAGMENT_SIZES = [125, 4096, 128 << 10];

export const MEMORIES = ['dedicated', 'compact', 'none'];
export const NOTHING_ASKED = { snct: false, cnct: false, swb: null, cwb: null };
export const AS_CHROMIUM_OFFERS = { ...NOTHING_ASKED, cwb: true };
export const OFFERS = combinations(OFFERED_CLIENT_BITS);
export const CONFIGS = combinations(CLIENT_BITS);

function combinations(clientBits) {
  return FLAGS.flatMap((snct) =>
    FLAGS.flatMap((cnct) => SERVER_BITS.flatMap((swb) => clientBits.map((cwb) => ({ snct, cnct, swb, cwb })))),
  );
}

function assert(holds, what) {
  if (!holds) throw new Error(what);
}

// `turn` chooses the size of the server's fragments.
export function pathOf(config, memory, turn) {
  const shown = Object.entries(config).map(([name, value]) => {
    const text = value === null ? '-' : name.endsWith('nct') ? Number(value) : value;
    return `/${name}=${text}`;
  });
  return `${shown.join('')}/${memory}/${FRAGMENT_SIZES[turn % FRAGMENT_SIZES.length]}`;
}

// The parameters of the one extension in a Sec-WebSocket-Extensions header.
export function parse(header) {
  const [name, ...parameters] = header.split(';').map((part) => part.trim());
  assert(name === 'permessage-deflate' && !header.includes(','), `not one permessage-deflate: ${header}`);
  const names = {
    server_no_context_takeover: 'snct',
    client_no_context_takeover: 'cnct',
    server_max_window_bits: 'swb',
    client_max_window_bits: 'cwb',
  };
  const parsed = { ...NOTHING_ASKED };
  for (const parameter of parameters) {
    const [key, value] = parameter.split('=');
    assert(names[key] !== undefined && !parsed[names[key]], `${parameter} in the answer ${header}`);
    parsed[names[key]] = value === undefined ? true : Number(value);
  }
  return parsed;
}

// RFC 7692 §7.1, and what our server's options and memory mode ask for.
export function checkAnswer(answer, offer, config, memory) {
  const context = `${JSON.stringify(answer)} to ${JSON.stringify(offer)}`;
  if (offer.snct || config.snct || memory === 'none') assert(answer.snct, `server_no_context_takeover in ${context}`);
  if (config.cnct || memory === 'none') assert(answer.cnct, `client_no_context_takeover in ${context}`);
  assert(answer.swb !== null || offer.swb === null, `server_max_window_bits missing in ${context}`);
  assert((answer.swb ?? 15) <= Math.min(offer.swb ?? 15, config.swb ?? 15), `server_max_window_bits in ${context}`);
  const limit = Math.min(config.cwb ?? 15, memory === 'compact' ? COMPACT_BITS : 15);
  if (offer.cwb === null) {
    assert(answer.cwb === null, `client_max_window_bits unasked in ${context}`);
    assert(limit === 15 || answer.cnct, `client_no_context_takeover instead in ${context}`);
  } else {
    const offered = offer.cwb === true ? 15 : offer.cwb;
    const granted = answer.cwb ?? offered;
    assert(granted <= offered && (granted <= limit || answer.cnct), `client_max_window_bits in ${context}`);
  }
}

// Each side looks back no further than agreed; and as far, where it has room for it. `first` and `second` are the bytes
// that the same message took twice.
export function checkReach(probe, answer, memory, first, second) {
  const sides = {
    client: { forgets: answer.cnct, bits: answer.cwb ?? 15, hasRoom: true },
    server: { forgets: answer.snct, bits: answer.swb ?? 15, hasRoom: memory === 'dedicated' || probe.short },
  };
  for (const [side, { forgets, bits, hasRoom }] of Object.entries(sides)) {
    const reaches = !forgets && bits >= probe.reachedFrom;
    const [was, now] = [first[side], second[side]];
    assert(was > 0, `the ${side} compressed nothing`);
    if (reaches && hasRoom) assert(now <= was / 4, `no takeover: the ${side} wrote ${was} bytes, then ${now}`);
    if (!reaches) assert(now >= was * 0.9, `the ${side} looked back too far: ${was} bytes, then ${now}`);
  }
}
