// Checks permessage-deflate with a browser as the client: every configuration of the server, in every memory mode.
// Served by deflate_browser.py, which takes the result lines. The page's query names the server.

import { KIB_JSON, LARGE, PROBES, SMALL } from './deflate_messages.mjs';
import { AS_CHROMIUM_OFFERS, CONFIGS, MEMORIES, checkAnswer, checkReach, parse, pathOf } from './deflate_rules.mjs';
import { play } from './play.mjs';

const CHECK_TIMEOUT = 60_000;
const AT_A_TIME = 4;
const server = new URLSearchParams(location.search).get('server');

function same(got, wanted) {
  if (typeof wanted === 'string') return got === wanted;
  const bytes = new Uint8Array(got);
  return bytes.length === wanted.length && bytes.every((byte, at) => byte === wanted[at]);
}

// An open socket whose messages can be awaited one by one.
async function dial(path) {
  const socket = new WebSocket(server + path);
  socket.binaryType = 'arraybuffer';
  const arrived = [];
  let wake = () => {};
  let fail;
  const failed = new Promise((_, reject) => (fail = reject));
  failed.catch(() => {}); // it is told to whoever waits, which after the last message is nobody
  socket.closed = new Promise((resolve) => {
    socket.onclose = ({ code, reason }) => {
      fail(new Error(`closed with ${code} ${reason}`));
      resolve({ code, reason });
    };
  });
  socket.onmessage = ({ data }) => {
    arrived.push(data);
    wake();
  };
  socket.receive = async () => {
    while (arrived.length === 0) await Promise.race([new Promise((resolve) => (wake = resolve)), failed]);
    return arrived.shift();
  };
  await Promise.race([new Promise((resolve) => (socket.onopen = resolve)), failed]);
  return socket;
}

async function echo(socket, message) {
  socket.send(message);
  const got = await socket.receive();
  if (!same(got, message)) throw new Error(`${got.length ?? got.byteLength} units came back for ${message.length}`);
}

// A page does not see the wire; the server tells what it counted.
async function report(socket) {
  socket.send('?');
  return JSON.parse(await socket.receive());
}

async function measuredEcho(socket, message) {
  const before = await report(socket);
  await echo(socket, message);
  const { sent, received } = await report(socket);
  return { client: received.wire - before.received.wire, server: sent.wire - before.sent.wire };
}

async function talkOnce(path, config, memory, everything) {
  const socket = await dial(path);
  const answer = parse(socket.extensions);
  checkAnswer(answer, AS_CHROMIUM_OFFERS, config, memory);
  for (const probe of PROBES) {
    const first = await measuredEcho(socket, probe.message);
    checkReach(probe, answer, memory, first, await measuredEcho(socket, probe.message));
  }
  for (const message of SMALL) await echo(socket, message);
  if (everything) {
    for (let turn = 0; turn < 20; turn++) await echo(socket, KIB_JSON);
    for (const message of LARGE) await echo(socket, message);
  }
  const { agreed } = await report(socket);
  if (agreed !== socket.extensions) throw new Error(`${socket.extensions} here, ${agreed} there`);
  socket.close(1000, 'done');
  const { code, reason } = await socket.closed;
  if (code !== 1000 || reason !== 'done') throw new Error(`closed with ${code} ${reason}`);
}

function* checks() {
  for (const [mode, memory] of MEMORIES.entries()) {
    for (const [at, config] of CONFIGS.entries()) {
      // Each configuration meets everything in one of the memory modes: it takes the most time.
      const everything = (at + mode) % MEMORIES.length === 0;
      const path = pathOf(config, memory, Math.floor(at / 3) + mode);
      yield [`config ${path}`, () => talkOnce(path, config, memory, everything)];
    }
  }
}

const tell = (line) => fetch('/line', { method: 'POST', body: line });
await play(checks(), { atATime: AT_A_TIME, timeout: CHECK_TIMEOUT, tell });
