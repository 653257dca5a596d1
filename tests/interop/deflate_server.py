"""An echo server on python `websockets` for the permessage-deflate checks.

The path says what the extension is configured with: /snct=1/cnct=0/swb=10/cwb=-. The text `?` is answered with what was
agreed and what was counted; messages of some length come back in three fragments.
"""

import asyncio
import json
import logging
import signal

from websockets.asyncio.server import serve

from deflate_common import RecordingServerFactory, config_of

MAX_MESSAGE = 16 << 20
WHOLE_UP_TO = 2048


def choose_extension(connection, request):
    connection.protocol.available_extensions = [RecordingServerFactory(**config_of(request.path))]


def report(connection):
    """What was agreed and counted until now; it fails when the client looked back further than agreed."""
    recorder = connection.protocol.extensions[0]
    counted = {"sent": recorder.sent.shown(), "received": recorder.received.shown()}
    recorder.check_window()
    return json.dumps({"agreed": connection.response.headers["Sec-WebSocket-Extensions"], **counted})


def fragments(message):
    third = len(message) // 3
    return [message[:third], message[third : 2 * third], message[2 * third :]]


async def echo(connection):
    async for message in connection:
        if message == "?":
            await connection.send(report(connection))
        else:
            await connection.send(message if len(message) <= WHOLE_UP_TO else fragments(message))


async def main():
    logging.disable()  # a peer that misbehaves is what the client's checks are about
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    options = {"compression": None, "process_request": choose_extension, "max_size": MAX_MESSAGE}
    async with serve(echo, "127.0.0.1", 0, **options) as server:
        print(f"listening on 127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
        await stop.wait()


asyncio.run(main())
