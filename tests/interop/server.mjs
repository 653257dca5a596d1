// An echo server on node `ws`, for our client to talk to. `--deflate` turns permessage-deflate on.

import { WebSocketServer } from 'ws';

const ACCEPTED = ['json', 'msgpack', 'cbor'];

const server = new WebSocketServer({
  host: '127.0.0.1',
  port: 0,
  maxPayload: 16 << 20,
  perMessageDeflate: process.argv.includes('--deflate'),
  handleProtocols: (offered) => [...offered].find((protocol) => ACCEPTED.includes(protocol)) ?? false,
});

server.on('listening', () => console.log(`listening on 127.0.0.1:${server.address().port}`));
server.on('connection', (socket) => {
  socket.on('message', (data, binary) => socket.send(data, { binary }));
  socket.on('error', () => {}); // a peer that misbehaves is what our client's checks are about
});

for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(0));
