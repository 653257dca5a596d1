// Checks permessage-deflate with node `ws` as the client: every offer in every memory mode of the server, and every
// configuration of the server against an offer of `client_max_window_bits` (as Chromium makes it).
// Usage: deflate_client.mjs ws://HOST:PORT

import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { count } from './deflate_count.mjs';
import { FRAGMENTED, KIB_JSON, LARGE, PROBES, SMALL } from './deflate_messages.mjs';
import * as rules from './deflate_rules.mjs';
import { play } from './play.mjs';

const CHECK_TIMEOUT = 60_000;
const AT_A_TIME = 4;
const url = process.argv[2].replace(/\/$/, '');

// An open socket whose messages can be awaited one by one, and whose compressed bytes are counted.
async function dial(path, offer) {
  const socket = new WebSocket(url + path, {
    perMessageDeflate: {
      threshold: 0,
      serverNoContextTakeover: offer.snct || undefined,
      clientNoContextTakeover: offer.cnct || undefined,
      serverMaxWindowBits: offer.swb ?? undefined,
      clientMaxWindowBits: offer.cwb ?? false,
    },
  });
  const arrived = [];
  let wake = () => {};
  socket.on('message', (data, binary) => {
    arrived.push({ data, binary });
    wake();
  });
  socket.on('error', (error) => (socket.failure = error));
  socket.on('upgrade', (response) => (socket.answer = response.headers['sec-websocket-extensions']));
  socket.closed = once(socket, 'close').then(([code, reason]) => ({ code, reason: reason.toString() }));
  const failed = socket.closed.then(({ code }) => {
    throw new Error(`closed with ${code}: ${socket.failure?.message ?? 'no error'}`);
  });
  failed.catch(() => {}); // it is told to whoever waits, which after the last message is nobody
  socket.receive = async () => {
    while (arrived.length === 0) await Promise.race([new Promise((resolve) => (wake = resolve)), failed]);
    return arrived.shift();
  };
  await Promise.race([once(socket, 'open'), failed]);
  assert(socket.answer !== undefined, 'the offer was declined');
  socket.counted = count(socket);
  return socket;
}

async function comesBack(socket, message) {
  const { data, binary } = await socket.receive();
  const wanted = Buffer.from(message);
  assert(binary === Buffer.isBuffer(message) && data.equals(wanted), `${data.length} bytes for ${wanted.length}`);
}

// How many bytes the message took there, and back.
async function echo(socket, message) {
  const [sent, received] = [socket.counted.sent.wire, socket.counted.received.wire];
  socket.send(message);
  await comesBack(socket, message);
  return { client: socket.counted.sent.wire - sent, server: socket.counted.received.wire - received };
}

async function echoFragments(socket, fragments) {
  const binary = Buffer.isBuffer(fragments[0]);
  for (const [at, fragment] of fragments.entries()) {
    if (at === 1) socket.ping('between');
    socket.send(fragment, { binary, fin: at === fragments.length - 1 });
  }
  await comesBack(socket, binary ? Buffer.concat(fragments) : fragments.join(''));
}

async function checkReach(socket, answer, memory) {
  for (const probe of PROBES) {
    const first = await echo(socket, probe.message);
    const second = await echo(socket, probe.message);
    rules.checkReach(probe, answer, memory, first, second);
  }
}

async function talkOnce(path, offer, config, memory, talk) {
  const socket = await dial(path, offer);
  const answer = rules.parse(socket.answer);
  rules.checkAnswer(answer, offer, config, memory);
  // The library keeps to a limit that it offered, also when the answer does not repeat it.
  const inUse = { ...answer, cwb: answer.cwb ?? (typeof offer.cwb === 'number' ? offer.cwb : null) };
  await checkReach(socket, inUse, memory);
  await talk(socket);
  const received = { ...socket.counted.received };
  socket.send('?');
  const report = JSON.parse((await socket.receive()).data);
  assert.deepEqual(report.received, socket.counted.sent, 'received by the server');
  assert.deepEqual(report.sent, received, 'sent by the server');
  assert.deepEqual(rules.parse(report.agreed), answer);
  socket.close(1000, 'done');
  assert.deepEqual(await socket.closed, { code: 1000, reason: 'done' });
}

async function smallMessages(socket) {
  for (const message of SMALL) await echo(socket, message);
}

async function everything(socket) {
  await smallMessages(socket);
  for (let turn = 0; turn < 20; turn++) await echo(socket, KIB_JSON);
  const pong = once(socket, 'pong');
  socket.ping('between');
  assert.equal((await pong)[0].toString(), 'between');
  for (const fragments of FRAGMENTED) await echoFragments(socket, fragments);
  for (const message of LARGE) await echo(socket, message);
}

function* checks() {
  for (const [mode, memory] of rules.MEMORIES.entries()) {
    for (const [at, offer] of rules.OFFERS.entries()) {
      // Each offer meets everything in one of the memory modes: it takes the most time.
      const talk = (at + mode) % rules.MEMORIES.length === 0 ? everything : smallMessages;
      const path = rules.pathOf(rules.NOTHING_ASKED, memory, Math.floor(at / 3) + mode);
      const name = `offer ${JSON.stringify(offer)} to ${path}`;
      yield [name, () => talkOnce(path, offer, rules.NOTHING_ASKED, memory, talk)];
    }
    for (const [at, config] of rules.CONFIGS.entries()) {
      const path = rules.pathOf(config, memory, Math.floor(at / 3) + mode);
      yield [`config ${path}`, () => talkOnce(path, rules.AS_CHROMIUM_OFFERS, config, memory, smallMessages)];
    }
  }
}

const passed = await play(checks(), { atATime: AT_A_TIME, timeout: CHECK_TIMEOUT });
process.exit(passed ? 0 : 1);
