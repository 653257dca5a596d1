// An echo server on node `ws` for the permessage-deflate checks. The path says what the extension is configured with:
// /snct=1/cnct=0/swb=10/cwb=-. The text `?` is answered with what was agreed and what was counted; messages of some
// length come back in three fragments.

import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';
import { count } from './deflate_count.mjs';

const WHOLE_UP_TO = 2048;
const servers = new Map();

function serverFor(path) {
  if (!servers.has(path)) {
    const [snct, cnct, swb, cwb] = path.slice(1).split('/').map((part) => part.split('=')[1]);
    const bits = (text) => (text === '-' ? undefined : Number(text));
    const server = new WebSocketServer({
      noServer: true,
      maxPayload: 16 << 20,
      perMessageDeflate: {
        threshold: 0,
        serverNoContextTakeover: snct === '1' || undefined,
        clientNoContextTakeover: cnct === '1' || undefined,
        serverMaxWindowBits: bits(swb),
        clientMaxWindowBits: bits(cwb),
      },
    });
    server.on('headers', (headers, request) => {
      const header = headers.find((line) => line.startsWith('Sec-WebSocket-Extensions: '));
      request.agreed = header?.slice(header.indexOf(' ') + 1);
    });
    server.on('connection', echo);
    servers.set(path, server);
  }
  return servers.get(path);
}

function echo(socket, request) {
  const counted = count(socket);
  socket.on('error', () => {}); // a peer that misbehaves is what the client's checks are about
  socket.on('message', (data, binary) => {
    if (!binary && data.equals(Buffer.from('?'))) {
      socket.send(JSON.stringify({ agreed: request.agreed, ...counted }));
    } else if (data.length <= WHOLE_UP_TO) {
      socket.send(data, { binary });
    } else {
      const third = Math.floor(data.length / 3);
      socket.send(data.subarray(0, third), { binary, fin: false });
      socket.send(data.subarray(third, 2 * third), { binary, fin: false });
      socket.send(data.subarray(2 * third), { binary, fin: true });
    }
  });
}

const server = createServer();
server.on('upgrade', (request, socket, head) => {
  const upgraded = serverFor(request.url);
  upgraded.handleUpgrade(request, socket, head, (open) => upgraded.emit('connection', open, request));
});
server.listen(0, '127.0.0.1', () => console.log(`listening on 127.0.0.1:${server.address().port}`));
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(0));
