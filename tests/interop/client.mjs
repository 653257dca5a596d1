// Checks our echo server with node `ws`. Usage: client.mjs ws://HOST:PORT

import { strict as assert } from 'node:assert';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { play } from './play.mjs';

const MIB = 1 << 20;
const MAX_MESSAGE = 16 * MIB;
const SIZES = [0, 1, 125, 126, 65535, 65536, MIB, MAX_MESSAGE];
const CHECK_TIMEOUT = 30_000;

const url = process.argv[2].replace(/\/$/, '');
const checks = new Map();

// An open socket whose messages can be awaited one by one, however early they arrive.
async function dial(path = '') {
  const socket = new WebSocket(url + path, { perMessageDeflate: false });
  const arrived = [];
  const waiting = [];
  socket.on('message', (data, binary) => {
    const message = binary ? data : data.toString();
    if (waiting.length > 0) waiting.shift()(message);
    else arrived.push(message);
  });
  socket.on('error', () => {}); // the close event that follows is what the checks look at
  socket.closed = once(socket, 'close').then(([code, reason]) => ({ code, reason: reason.toString() }));
  socket.receive = () =>
    arrived.length > 0
      ? Promise.resolve(arrived.shift())
      : Promise.race([
          new Promise((resolve) => waiting.push(resolve)),
          socket.closed.then(({ code }) => Promise.reject(new Error(`closed with ${code}`))),
        ]);
  await Promise.race([
    once(socket, 'open'),
    socket.closed.then(({ code }) => Promise.reject(new Error(`not upgraded: ${code}`))),
  ]);
  return socket;
}

async function echoes(socket, message) {
  socket.send(message);
  same(await socket.receive(), message);
}

// assert.deepEqual would print megabytes.
function same(got, wanted) {
  const equal = Buffer.isBuffer(wanted) ? Buffer.isBuffer(got) && got.equals(wanted) : got === wanted;
  assert(equal, `got ${shown(got)}, wanted ${shown(wanted)}`);
}

function shown(value) {
  return value.length > 100 ? `${value.constructor.name} of ${value.length}` : JSON.stringify(value);
}

async function closes(socket) {
  socket.close();
  await socket.closed;
}

for (const size of SIZES) {
  checks.set(`text_of_${size}_bytes`, async () => {
    const socket = await dial();
    await echoes(socket, 'x'.repeat(size));
    await closes(socket);
  });
  checks.set(`binary_of_${size}_bytes`, async () => {
    const socket = await dial();
    await echoes(socket, randomBytes(size));
    await closes(socket);
  });
}

checks.set('text_of_every_utf8_length', async () => {
  const socket = await dial();
  await echoes(socket, 'aé€😀\u0000\uffff\u{10ffff}'.repeat(1000));
  await closes(socket);
});

checks.set('fragments_become_one_message', async () => {
  const socket = await dial();
  socket.send('one ', { fin: false });
  socket.send('', { fin: false });
  socket.send('two ', { fin: false });
  socket.send('three', { fin: true });
  same(await socket.receive(), 'one two three');
  await closes(socket);
});

checks.set('code_point_split_between_fragments', async () => {
  const socket = await dial();
  const bytes = Buffer.from('é€😀');
  bytes.forEach((_, at) => {
    socket.send(bytes.subarray(at, at + 1), { binary: false, fin: at === bytes.length - 1 });
  });
  same(await socket.receive(), 'é€😀');
  await closes(socket);
});

checks.set('ping_is_answered_between_fragments', async () => {
  const socket = await dial();
  socket.send('before ', { fin: false });
  const pong = once(socket, 'pong');
  socket.ping('between');
  same((await pong)[0].toString(), 'between');
  socket.send('after', { fin: true });
  same(await socket.receive(), 'before after');
  await closes(socket);
});

checks.set('pong_carries_the_pings_payload', async () => {
  const socket = await dial();
  for (const payload of [Buffer.alloc(0), Buffer.from([0, 255]), Buffer.alloc(125, 'p')]) {
    const pong = once(socket, 'pong');
    socket.ping(payload);
    same((await pong)[0], payload);
  }
  await closes(socket);
});

for (const code of [1000, 1001, 3000, 4999]) {
  checks.set(`close_${code}_is_echoed_with_its_reason`, async () => {
    const socket = await dial();
    socket.close(code, `bye ${code}`);
    assert.deepEqual(await socket.closed, { code, reason: `bye ${code}` });
  });
}

checks.set('close_without_a_code_is_answered_without_one', async () => {
  const socket = await dial();
  socket.close();
  assert.deepEqual(await socket.closed, { code: 1005, reason: '' });
});

checks.set('message_over_the_limit_is_closed_with_1009', async () => {
  const socket = await dial();
  socket.send(Buffer.alloc(MAX_MESSAGE + 1));
  same((await socket.closed).code.toString(), '1009');
});

checks.set('pipelined_messages_keep_their_order', async () => {
  const socket = await dial();
  const wanted = Array.from({ length: 500 }, (_, number) => `message ${number}`);
  for (const message of wanted) socket.send(message);
  for (const message of wanted) same(await socket.receive(), message);
  await closes(socket);
});

checks.set('twenty_connections_at_once', async () => {
  const talk = async (number) => {
    const socket = await dial();
    for (let turn = 0; turn < 50; turn++) await echoes(socket, `${number}/${turn}`);
    await closes(socket);
  };
  await Promise.all(Array.from({ length: 20 }, (_, number) => talk(number)));
});

checks.set('server_survives_a_terminated_connection', async () => {
  const gone = await dial();
  gone.send(randomBytes(MIB));
  gone.terminate();
  const socket = await dial('/after');
  await echoes(socket, 'still here');
  await closes(socket);
});

const passed = await play(checks, { timeout: CHECK_TIMEOUT });
process.exit(passed ? 0 : 1);
