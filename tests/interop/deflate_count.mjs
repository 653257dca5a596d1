// Counts the compressed messages of a node `ws` connection, from the inside: the library tells nobody.

export function count(socket) {
  const extension = socket._extensions['permessage-deflate'];
  const counted = { sent: volume(), received: volume() };
  counts(extension, 'compress', (plain, wire, fin) => add(counted.sent, plain, wire, fin));
  counts(extension, 'decompress', (wire, plain, fin) => add(counted.received, plain, wire, fin));
  return counted;
}

function volume() {
  return { messages: 0, plain: 0, wire: 0 };
}

function add(volume, plain, wire, fin) {
  volume.messages += fin ? 1 : 0;
  volume.plain += plain;
  volume.wire += wire;
}

function counts(extension, method, counter) {
  const original = extension[method].bind(extension);
  extension[method] = (data, fin, callback) =>
    original(data, fin, (error, result) => {
      if (!error) counter(Buffer.byteLength(data), result.length, fin);
      callback(error, result);
    });
}
