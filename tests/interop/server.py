"""An echo server on python `websockets`, for our client to talk to. `--deflate` turns permessage-deflate on."""

import asyncio
import logging
import signal
import sys

from websockets.asyncio.server import serve

MAX_MESSAGE = 16 << 20
SUBPROTOCOLS = ["json", "msgpack", "cbor"]


def select_subprotocol(_connection, offered):
    # Given a plain list, the library refuses clients that offer none.
    return next((name for name in offered if name in SUBPROTOCOLS), None)


async def echo(connection):
    async for message in connection:
        await connection.send(message)


async def main():
    logging.disable()  # a peer that misbehaves is what our client's checks are about
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    options = {
        "subprotocols": SUBPROTOCOLS,
        "select_subprotocol": select_subprotocol,
        "max_size": MAX_MESSAGE,
        "compression": "deflate" if "--deflate" in sys.argv else None,
    }
    async with serve(echo, "127.0.0.1", 0, **options) as server:
        print(f"listening on 127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
        await stop.wait()


asyncio.run(main())
