// Holds conversations with our rpc server in plain JSON, typed by hand from src/docs/wire.md alone.
// Usage: rpc_client.mjs ws://HOST:PORT

import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { play } from './play.mjs';

const CHECK_TIMEOUT = 30_000;
const PROTOCOL = 'converse.v1.json';
const CANCELLED = -32001;
const DEADLINE_EXCEEDED = -32004;
const RESOURCE_EXHAUSTED = -32008;
const UNAVAILABLE = -32014;
const INVALID_ARGUMENT = -32602;
const UNIMPLEMENTED = -32601;
const INTERNAL = -32603;

const url = process.argv[2].replace(/\/$/, '');
const checks = new Map();
const same = assert.deepEqual;

let keys = 0;
// What the server knows is shared by all conversations, so each check has names of its own.
const fresh = () => `node ${process.pid} ${(keys += 1)}`;

// What a frame takes of a window's bytes, in either direction; all that is streamed here are numbers.
const bytesOf = (frame) => JSON.stringify(frame).length;

// One conversation. Frames are JSON; those that arrive can be awaited one by one.
class Talk {
  constructor(path, protocols) {
    this.socket = new WebSocket(url + path, protocols, { perMessageDeflate: false });
    this.arrived = [];
    this.waiting = [];
    this.lastId = -1; // a client's ids are odd
    this.pings = 0;
    this.socket.on('message', (data, binary) => {
      // JSON comes in text messages; a check that meets something else sees this instead of a frame.
      if (binary) return this.arrive({ binary: data.length });
      // One line feed between two frames, and none inside.
      for (const line of data.toString().split('\n')) this.arrive(JSON.parse(line));
    });
    this.socket.on('error', () => {}); // the close event that follows is what the checks look at
    this.closed = once(this.socket, 'close').then(([code, reason]) => ({ code, reason: reason.toString() }));
  }

  arrive(frame) {
    if (Object.keys(frame).length === 0) {
      this.pings += 1;
      return this.send({});
    }
    if (this.waiting.length > 0) this.waiting.shift()(frame);
    else this.arrived.push(frame);
  }

  send(...frames) {
    this.socket.send(frames.map((frame) => JSON.stringify(frame)).join('\n'));
  }

  receive() {
    if (this.arrived.length > 0) return Promise.resolve(this.arrived.shift());
    const frame = new Promise((resolve) => this.waiting.push(resolve));
    const closed = this.closed.then(({ code }) => Promise.reject(new Error(`closed with ${code}`)));
    return Promise.race([frame, closed]);
  }

  async receives(...frames) {
    for (const frame of frames) same(await this.receive(), frame);
  }

  // The id of a new call; its frame goes out at once.
  call(method, params, rest = {}) {
    this.lastId += 2;
    this.send({ id: this.lastId, method, params, ...rest });
    return this.lastId;
  }

  // A call whose answer is the next frame.
  async result(method, ...params) {
    const id = this.call(method, params);
    const { result, ...rest } = await this.receive();
    same(rest, { id });
    return result;
  }

  // A call whose failure is the next frame.
  async error(method, params, rest) {
    const id = this.call(method, params, rest);
    const { error, ...others } = await this.receive();
    same(others, { id });
    return error;
  }

  // Nothing else has come: the answer of a new call is the next frame.
  async isQuiet() {
    same(await this.result('calc.add', 40, 2), 42);
    same(this.arrived, []);
  }

  async close() {
    this.socket.close(1000);
    same((await this.closed).code, 1000);
  }
}

// A socket of which nothing was said yet.
async function dial(path = '', protocols = PROTOCOL) {
  const talk = new Talk(path, protocols);
  await Promise.race([
    once(talk.socket, 'open'),
    talk.closed.then(({ code }) => Promise.reject(new Error(`not upgraded: ${code}`))),
  ]);
  return talk;
}

async function greeted(path = '', hello = {}) {
  const talk = await dial(path);
  talk.send({ hello });
  talk.hello = (await talk.receive()).hello;
  return talk;
}

function check(name, run, path, hello) {
  checks.set(name, async () => {
    const talk = await greeted(path, hello);
    await run(talk);
    await talk.close();
  });
}

// --- what is agreed on

checks.set('the_subprotocol_is_that_of_json', async () => {
  const talk = await dial('', [PROTOCOL]);
  same(talk.socket.protocol, PROTOCOL);
  await talk.close();
});

checks.set('the_server_prefers_its_own_order', async () => {
  const talk = await dial('', ['unknown', PROTOCOL, 'converse.v1.cbor', 'converse.v1.msgpack']);
  same(talk.socket.protocol, 'converse.v1.msgpack');
  await talk.close();
});

checks.set('both_say_hello_and_nobody_waits', async () => {
  const talk = await dial();
  talk.send({ hello: {} }, { id: 1, method: 'calc.add', params: [40, 2] });
  const { hello, ...rest } = await talk.receive();
  same(rest, {});
  same(hello, { v: 1, caps: [], window: [32, 65536], inflight: 64, max: 1048576, ping: 0 });
  await talk.receives({ id: 1, result: 42 });
  await talk.close();
});

check(
  'unknown_keys_of_a_hello_are_passed',
  async (talk) => same((await talk.result('calc.about')).token, 'sesame'),
  '',
  { v: 1, caps: ['topics'], token: 'sesame', schema: 'any', tomorrow: { a: [1] } },
);

// --- calls

check('a_call_is_answered', async (talk) => {
  same(await talk.result('calc.add', 40, 2), 42);
  same(await talk.result('calc.add', -1, 1), 0);
});

check('params_come_by_name_or_not_at_all', async (talk) => {
  talk.call('calc.add', { b: 2, a: 40 });
  same((await talk.receive()).result, 42);
  talk.send({ id: 101, method: 'calc.about' });
  same((await talk.receive()).id, 101);
});

check('frames_are_read_in_any_shape', async (talk) => {
  talk.socket.send(' {"params" : [40,\n2], "method":"calc.\\u0061dd","new":[{}], "id":1}\r\n\t{"id":3,"method":"calc.add","params":[1,2]}');
  await talk.receives({ id: 1, result: 42 }, { id: 3, result: 3 });
  talk.socket.send(Buffer.from('{"id":5,"method":"calc.add","params":[1,1]}'), { binary: true });
  await talk.receives({ id: 5, result: 2 });
});

check('answers_come_as_they_are_ready', async (talk) => {
  const [one, two] = [fresh(), fresh()];
  const [first, second] = [talk.call('calc.hold', [one]), talk.call('calc.hold', [two])];
  same(await talk.result('calc.add', 40, 2), 42);
  const release = talk.call('calc.release', [two]);
  const answers = [await talk.receive(), await talk.receive()];
  same(
    answers.sort((a, b) => a.id - b.id),
    [{ id: second, result: two }, { id: release, result: null }],
  );
  talk.call('calc.release', [one]);
  same([await talk.receive(), await talk.receive()].find(({ id }) => id === first).result, one);
});

check('many_calls_come_in_one_message', async (talk) => {
  const ids = Array.from({ length: 500 }, (_, number) => 2 * number + 1);
  talk.send(...ids.map((id) => ({ id, method: 'calc.add', params: [id, 1] })));
  const answers = [];
  while (answers.length < ids.length) answers.push(await talk.receive());
  same(
    answers.sort((a, b) => a.id - b.id),
    ids.map((id) => ({ id, result: id + 1 })),
  );
});

check('an_id_may_be_used_again_and_may_be_large', async (talk) => {
  for (const id of [1, 1, 4294967295, 4294967295]) {
    talk.send({ id, method: 'calc.add', params: [40, 2] });
    await talk.receives({ id, result: 42 });
  }
});

check('an_id_in_use_is_refused_and_its_call_goes_on', async (talk) => {
  const key = fresh();
  const id = talk.call('calc.hold', [key]);
  talk.send({ id, method: 'calc.add', params: [40, 2] });
  const refused = await talk.receive();
  same([refused.id, refused.error.code], [id, -32006]);
  talk.call('calc.release', [key]);
  same([await talk.receive(), await talk.receive()].find((frame) => frame.id === id), { id, result: key });
});

check('an_even_id_is_not_a_clients', async (talk) => {
  talk.send({ id: 2, method: 'calc.add', params: [40, 2] });
  const { id, error } = await talk.receive();
  same([id, error.code], [2, INVALID_ARGUMENT]);
  await talk.isQuiet();
});

check('a_methods_own_error_has_its_data', async (talk) => {
  same(await talk.error('calc.div', [7, 0]), {
    code: 1234,
    message: 'division by zero',
    data: { dividend: 7 },
  });
});

check('codes_are_those_of_json_rpc', async (talk) => {
  const wanted = { 1: CANCELLED, 3: INVALID_ARGUMENT, 5: -32005, 12: UNIMPLEMENTED, 13: INTERNAL, 16: -32016, 17: 17 };
  for (const [code, written] of Object.entries(wanted)) {
    same(await talk.error('calc.status', [Number(code)]), { code: written, message: 'as you wish' });
  }
});

check('what_cannot_be_called_is_refused', async (talk) => {
  same((await talk.error('calc.sqrt', [2])).code, UNIMPLEMENTED);
  same((await talk.error('calc.add', ['40', 2])).code, INVALID_ARGUMENT);
  same((await talk.error('calc.add', [40])).code, INVALID_ARGUMENT);
  same(await talk.error('calc.panics', []), { code: INTERNAL, message: '' });
  await talk.isQuiet();
});

check('a_notification_is_handled_and_not_answered', async (talk) => {
  const line = fresh();
  talk.send({ method: 'calc.log', params: [`${line} one`] }, { method: 'calc.log', params: [`${line} two`] });
  talk.send({ method: 'calc.nothing' }, { method: 'calc.log', params: [2] }, { method: 'calc.ticks', params: [line] });
  same(await talk.result('calc.logged', line, 2), [`${line} one`, `${line} two`]);
  await talk.isQuiet();
});

check('what_has_no_answer_may_be_called_and_what_has_one_notified', async (talk) => {
  const [line, key] = [fresh(), fresh()];
  same(await talk.result('calc.log', line), null);
  same(await talk.result('calc.logged', line, 1), [line]);
  talk.send({ method: 'calc.release', params: [key] });
  same(await talk.result('calc.hold', key), key);
});

check('meta_travels', async (talk) => {
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
  const id = talk.call('calc.about', [], { meta: { dl: 20000, tp: traceparent, tenant: 'seven' } });
  await talk.receives({
    id,
    result: { millis: 20000, traceparent, headers: { tenant: 'seven' }, token: null },
  });
});

check('a_deadline_ends_the_call_and_its_handler', async (talk) => {
  const key = fresh();
  same((await talk.error('calc.wait', [key], { meta: { dl: 20 } })).code, DEADLINE_EXCEEDED);
  same(await talk.result('calc.dropped', key, 1), null);
});

check('cancel_is_answered_with_cancelled_and_nothing_else', async (talk) => {
  const key = fresh();
  const id = talk.call('calc.wait', [key]);
  talk.send({ cancel: id });
  await talk.receives({ id, error: { code: CANCELLED, message: '' } });
  same(await talk.result('calc.dropped', key, 1), null);
  talk.send({ cancel: id }, { cancel: 4711 });
  await talk.isQuiet();
});

// --- streams

check('a_stream_is_items_and_then_ok_without_a_value', async (talk) => {
  const id = talk.call('calc.count', [3]);
  await talk.receives({ id, item: 1 }, { id, item: 2 }, { id, item: 3 }, { id, result: null });
  const none = talk.call('calc.count', [0]);
  await talk.receives({ id: none, result: null });
});

check('a_stream_ends_with_an_error', async (talk) => {
  const id = talk.call('calc.broken', [1]);
  const error = { code: 1234, message: 'division by zero', data: { dividend: 7 } };
  await talk.receives({ id, item: 1 }, { id, error });
});

check('a_stream_waits_for_credit_and_nothing_else_does', async (talk) => {
  const id = talk.call('calc.count', [100]);
  for (let item = 1; item <= 32; item++) await talk.receives({ id, item });
  await talk.isQuiet();
  await talk.isQuiet();
  talk.send({ id, credit: [3, 0] });
  await talk.receives({ id, item: 33 }, { id, item: 34 }, { id, item: 35 });
  await talk.isQuiet();
  talk.send({ id, credit: [16, 0] }, { id, credit: [1000, 0] });
  for (let item = 36; item <= 100; item++) await talk.receives({ id, item });
  await talk.receives({ id, result: null });
});

check(
  'the_window_of_the_hello_counts',
  async (talk) => {
    const id = talk.call('calc.count', [4]);
    await talk.receives({ id, item: 1 }, { id, item: 2 });
    await talk.isQuiet();
    talk.send({ id, credit: [2, 0] });
    await talk.receives({ id, item: 3 }, { id, item: 4 });
    // A stream is asked for what comes next, its end as well, when an item could be sent.
    await talk.isQuiet();
    talk.send({ id, credit: [1, 0] });
    await talk.receives({ id, result: null });
  },
  '',
  { window: [2, 65536] },
);

check(
  'the_bytes_of_the_window_count',
  async (talk) => {
    const id = talk.call('calc.count', [3]);
    await talk.receives({ id, item: 1 });
    await talk.isQuiet();
    // What the item was too long by comes back first.
    const bytes = bytesOf({ id, item: 1 });
    talk.send({ id, credit: [0, bytes - 1] });
    await talk.isQuiet();
    talk.send({ id, credit: [0, 1] });
    await talk.receives({ id, item: 2 });
    await talk.isQuiet();
    talk.send({ id, credit: [9, 1000] });
    await talk.receives({ id, item: 3 }, { id, result: null });
  },
  '',
  { window: [32, 1] },
);

check('a_cancelled_stream_ends_with_cancelled', async (talk) => {
  const key = fresh();
  const id = talk.call('calc.ticks', [key]);
  await talk.receives({ id, item: 0 });
  talk.send({ cancel: id });
  let frame;
  do frame = await talk.receive();
  while ('item' in frame);
  same(frame, { id, error: { code: CANCELLED, message: '' } });
  same(await talk.result('calc.dropped', key, 1), null);
  talk.send({ id, credit: [32, 65536] });
  await talk.isQuiet();
});

check('a_stream_goes_along_with_a_call', async (talk) => {
  const id = talk.call('calc.sum', []);
  talk.send({ id, item: 1 }, { id, item: 2 });
  await talk.isQuiet();
  talk.send({ id, item: 39 }, { id, end: true });
  await talk.receives({ id, result: 42 });
});

check('a_long_stream_along_with_a_call_waits_for_credit', async (talk) => {
  const id = talk.call('calc.sum', []);
  const [most, mostBytes] = talk.hello.window;
  let [sent, items, bytes, total] = [0, most, mostBytes, 0];
  const taken = []; // the bytes of each item that was not given back
  while (sent < 1000) {
    while (items > 0 && bytes > 0 && sent < 1000) {
      sent += 1;
      total += sent;
      const frame = { id, item: sent };
      taken.push(bytesOf(frame));
      items -= 1;
      bytes -= bytesOf(frame);
      talk.send(frame);
    }
    if (sent < 1000) {
      const frame = await talk.receive();
      same(frame, { id, credit: frame.credit });
      const [moreItems, moreBytes] = frame.credit;
      // Half of the window is used, and never a credit for each item.
      assert(moreItems >= most / 2 || moreBytes >= mostBytes / 2, `credit of ${frame.credit}`);
      // What the items took comes back with them.
      same(moreBytes, taken.splice(0, moreItems).reduce((sum, bytes) => sum + bytes, 0));
      items += moreItems;
      bytes += moreBytes;
    }
  }
  talk.send({ id, end: true });
  let frame;
  do frame = await talk.receive();
  while ('credit' in frame);
  same(frame, { id, result: total });
});

check('more_items_than_the_window_end_the_stream', async (talk) => {
  const id = talk.call('calc.sum', []);
  const items = Array.from({ length: talk.hello.window[0] + 1 }, (_, item) => ({ id, item }));
  talk.send(...items); // in one message, so that no credit can come in between
  let frame;
  do frame = await talk.receive();
  while ('credit' in frame);
  same([frame.id, frame.error?.code], [id, RESOURCE_EXHAUSTED]);
  talk.send({ id, end: true });
  await talk.isQuiet();
});

check('an_answer_may_come_before_the_end', async (talk) => {
  const id = talk.call('calc.first', []);
  talk.send({ id, item: 42 });
  await talk.receives({ id, result: 42 });
  // The call is over; what is still said about it is ignored.
  talk.send({ id, item: 43 }, { id, end: true });
  await talk.isQuiet();
});

check('an_item_that_does_not_fit_fails_the_call', async (talk) => {
  const id = talk.call('calc.sum', []);
  talk.send({ id, item: 'one' });
  same((await talk.receive()).error.code, INVALID_ARGUMENT);
  await talk.isQuiet();
});

check('streams_go_both_ways_and_close_one_by_one', async (talk) => {
  const id = talk.call('calc.double', []);
  for (const item of [1, 5, 21]) {
    talk.send({ id, item });
    await talk.receives({ id, item: 2 * item });
  }
  await talk.isQuiet();
  talk.send({ id, end: true });
  // The other half goes on behind the end.
  await talk.receives({ id, item: 3 }, { id, result: null });
});

// --- the server calls

check('the_server_calls_and_gets_its_answer', async (talk) => {
  const id = talk.call('calc.ask', ['sure?']);
  const asked = await talk.receive();
  same(asked, { id: asked.id, method: 'ui.confirm', params: ['sure?'], meta: asked.meta });
  same([asked.id % 2, asked.meta.why], [0, 'to know']);
  await talk.isQuiet();
  talk.send({ id: asked.id, result: true });
  await talk.receives({ id, result: true });
});

check('the_server_is_told_of_a_failure', async (talk) => {
  const id = talk.call('calc.ask', ['sure?']);
  const asked = await talk.receive();
  talk.send({ id: asked.id, error: { code: -32007, message: 'who asks?', data: [1] } });
  const { error, ...rest } = await talk.receive();
  same([rest, error.code, error.message], [{ id }, -32007, 'who asks?']);
});

check('an_answer_that_does_not_fit_harms_one_call', async (talk) => {
  const id = talk.call('calc.ask', ['sure?']);
  const asked = await talk.receive();
  talk.send({ id: asked.id, result: 'perhaps' });
  const { error, ...rest } = await talk.receive();
  same([rest, error.code], [{ id }, INTERNAL]);
  await talk.isQuiet();
});

check('the_server_notifies', async (talk) => {
  const id = talk.call('calc.tell', ['news']);
  const frames = [await talk.receive(), await talk.receive()];
  same(
    frames.sort((a, b) => ('id' in a) - ('id' in b)),
    [
      { method: 'ui.told', params: ['news'] },
      { id, result: null },
    ],
  );
});

check('the_server_takes_a_stream', async (talk) => {
  const id = talk.call('calc.gather', [200]);
  const asked = await talk.receive();
  same([asked.method, asked.params], ['ui.numbers', [200]]);
  let [items, bytes] = talk.hello.window;
  for (let item = 1; item <= 200; item++) {
    while (items <= 0 || bytes <= 0) {
      const { credit, ...rest } = await talk.receive();
      same(rest, { id: asked.id });
      items += credit[0];
      bytes += credit[1];
    }
    const frame = { id: asked.id, item };
    items -= 1;
    bytes -= bytesOf(frame);
    talk.send(frame);
  }
  talk.send({ id: asked.id, result: null });
  let frame;
  do frame = await talk.receive();
  while ('credit' in frame);
  same(frame, { id, result: 20100 });
});

check('the_server_sends_a_stream_along', async (talk) => {
  const id = talk.call('calc.pour', [100]);
  const asked = await talk.receive();
  same([asked.method, asked.params], ['ui.sum', []]);
  let [sum, taken, bytes] = [0, 0, 0];
  for (;;) {
    const frame = await talk.receive();
    same(frame.id, asked.id);
    if (frame.end) break;
    sum += frame.item;
    taken += 1;
    bytes += bytesOf(frame);
    if (taken === 16) {
      talk.send({ id: asked.id, credit: [taken, bytes] });
      [taken, bytes] = [0, 0];
    }
  }
  talk.send({ id: asked.id, result: sum });
  await talk.receives({ id, result: 5050 });
});

check('the_server_cancels_what_it_gives_up', async (talk) => {
  const id = talk.call('calc.impatient', []);
  const asked = await talk.receive();
  same(asked, { id: asked.id, method: 'ui.wait', params: [], meta: { dl: asked.meta.dl } });
  assert(asked.meta.dl <= 20, `a deadline of ${asked.meta.dl}`);
  const frames = [await talk.receive(), await talk.receive()];
  same(frames.find((frame) => 'cancel' in frame), { cancel: asked.id });
  const { error, ...rest } = frames.find((frame) => 'error' in frame);
  same([rest, error.code], [{ id }, DEADLINE_EXCEEDED]);
  talk.send({ id: asked.id, error: { code: CANCELLED, message: '' } });
  await talk.isQuiet();
});

// --- limits, pings, and the end

check(
  'more_calls_than_inflight_are_refused_at_once',
  async (talk) => {
    same([talk.hello.inflight, talk.hello.window, talk.hello.ping], [2, [4, 65536], 20]);
    const meta = { dl: 60000 };
    const waiting = [talk.call('calc.wait', [fresh()], { meta }), talk.call('calc.wait', [fresh()], { meta })];
    same((await talk.error('calc.add', [40, 2])).code, RESOURCE_EXHAUSTED);
    talk.send(...waiting.map((id) => ({ cancel: id })));
    await talk.receives(...waiting.map((id) => ({ id, error: { code: CANCELLED, message: '' } })));
    await talk.isQuiet();
  },
  '/strict',
);

check(
  'pings_are_answered_and_the_talk_goes_on',
  async (talk) => {
    while (talk.pings < 3) same((await talk.error('calc.wait', [fresh()])).code, DEADLINE_EXCEEDED);
    await talk.isQuiet();
  },
  '/strict',
);

check('a_frame_of_an_unknown_kind_is_answered', async (talk) => {
  talk.send({ whatever: 1 }, { id: 1, method: 'calc.add', params: [40, 2] });
  const frames = [await talk.receive(), await talk.receive()];
  same(frames.find((frame) => 'id' in frame), { id: 1, result: 42 });
  const { error, ...rest } = frames.find((frame) => !('id' in frame));
  same([rest, error.code], [{}, UNIMPLEMENTED]);
});

check('frames_about_unknown_ids_are_ignored', async (talk) => {
  talk.send(
    { id: 7, item: 1 }, { id: 7, end: true }, { id: 7, credit: [1, 65536] }, { cancel: 7 },
    { id: 8, result: 1 }, { id: 8, error: { code: 1234, message: '' } }, { id: 8, item: 1 },
    { error: { code: UNIMPLEMENTED, message: 'what?' } },
  );
  await talk.isQuiet();
});

checks.set('a_server_that_goes_away_finishes_first', async () => {
  const talk = await greeted();
  const [key, other] = [fresh(), await greeted()];
  const held = talk.call('calc.hold', [key]);
  talk.call('calc.leave', []);
  const frames = [await talk.receive(), await talk.receive()];
  same(frames.find((frame) => 'goaway' in frame), { goaway: { code: 4001, reason: 'restart', retry_ms: 500 } });
  same((await talk.error('calc.add', [40, 2])).code, UNAVAILABLE);
  same(await other.result('calc.release', key), null);
  await talk.receives({ id: held, result: key });
  same((await talk.closed).code, 4001);
  await other.close();
});

function closes(name, code, ...messages) {
  checks.set(name, async () => {
    const talk = await dial();
    for (const message of messages) talk.socket.send(message);
    const closed = await talk.closed;
    same(closed.code, code, `${closed.code} ${closed.reason}`);
    assert(closed.reason.length > 0, 'the reason says why');
  });
}

const HELLO = '{"hello":{}}';
closes('a_call_before_hello_closes', 4400, '{"id":1,"method":"calc.add","params":[40,2]}');
closes('a_second_hello_closes', 4400, HELLO, HELLO);
closes('text_that_is_no_json_closes', 4400, HELLO, 'hello?');
closes('json_that_is_no_object_closes', 4400, HELLO, '[1,2]');
closes('half_a_frame_closes', 4400, HELLO, '{"id":1,"method":');
closes('a_key_that_comes_twice_closes', 4400, HELLO, '{"id":1,"id":3,"method":"calc.add","params":[40,2]}');
closes('keys_of_several_frames_close', 4400, HELLO, '{"id":1,"result":1,"item":1}');
closes('an_id_that_is_a_text_closes', 4400, HELLO, '{"id":"1","method":"calc.add","params":[40,2]}');
closes('an_id_of_null_closes', 4400, HELLO, '{"id":null,"method":"calc.add","params":[40,2]}');
closes('an_id_of_1_0_closes', 4400, HELLO, '{"id":1.0,"method":"calc.add","params":[40,2]}');
closes('an_id_beyond_32_bits_closes', 4400, HELLO, '{"id":4294967296,"method":"calc.add","params":[40,2]}');
closes('too_many_headers_close', 4400, HELLO, JSON.stringify({
  method: 'calc.log',
  params: [''],
  meta: Object.fromEntries(Array.from({ length: 65 }, (_, number) => [`h${number}`, ''])),
}));

checks.set('who_says_no_hello_is_closed_with_4408', async () => {
  const talk = await dial('/strict');
  same((await talk.closed).code, 4408);
});

const passed = await play(checks, { timeout: CHECK_TIMEOUT });
process.exit(passed ? 0 : 1);
