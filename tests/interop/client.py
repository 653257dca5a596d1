"""Checks our echo server with python `websockets`, and with a bare socket where a library would not misbehave.

Usage: client.py ws://HOST:PORT
"""

import asyncio
import base64
import hashlib
import os
import struct
import sys
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

MIB = 1 << 20
MAX_MESSAGE = 16 * MIB
SIZES = [0, 1, 125, 126, 65535, 65536, MIB, MAX_MESSAGE]
CHECK_TIMEOUT = 30
TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
FIN = 0x80

CHECKS = []


def check(function):
    CHECKS.append((function.__name__, function))
    return function


def equal(got, wanted):
    if got != wanted:
        shown = [repr(value) if len(repr(value)) < 100 else f"{len(value)} items" for value in (got, wanted)]
        raise AssertionError(f"got {shown[0]}, wanted {shown[1]}")


def dial(url, **options):
    return connect(url, compression=None, max_size=None, ping_interval=None, **options)


# --- with the library


def add_echo_checks(size):
    async def text(url):
        async with dial(url) as connection:
            await connection.send("x" * size)
            equal(await connection.recv(), "x" * size)

    async def binary(url):
        payload = os.urandom(size)
        async with dial(url) as connection:
            await connection.send(payload)
            equal(await connection.recv(), payload)

    CHECKS.extend([(f"text_of_{size}_bytes", text), (f"binary_of_{size}_bytes", binary)])


for size in SIZES:
    add_echo_checks(size)


@check
async def text_of_every_utf8_length(url):
    text = "aé€😀\u0000\uffff\U0010ffff" * 1000
    async with dial(url) as connection:
        await connection.send(text)
        equal(await connection.recv(), text)


@check
async def fragments_become_one_message(url):
    async with dial(url) as connection:
        await connection.send(["one ", "", "two ", "three"])
        equal(await connection.recv(), "one two three")
        await connection.send([bytes([n]) * 1000 for n in range(100)])
        equal(await connection.recv(), b"".join(bytes([n]) * 1000 for n in range(100)))


@check
async def code_point_split_between_fragments(url):
    async with dial(url) as connection:
        await connection.send([bytes([byte]) for byte in "é€😀".encode()], text=True)
        equal(await connection.recv(), "é€😀")


@check
async def ping_is_answered_between_fragments(url):
    async with dial(url) as connection:

        async def fragments():
            yield "before "
            await (await connection.ping(b"between"))
            yield "after"

        await connection.send(fragments())
        equal(await connection.recv(), "before after")


@check
async def pong_carries_the_pings_payload(url):
    async with raw(url) as peer:
        for payload in (b"", b"\x00\xff", b"p" * 125):
            peer.send(PING, payload)
            equal(await peer.receive(), (FIN | PONG, payload))


@check
async def unsolicited_pong_is_ignored(url):
    async with dial(url) as connection:
        await connection.pong(b"nobody asked")
        await connection.send("still here")
        equal(await connection.recv(), "still here")


def add_close_check(code):
    async def close(url):
        async with dial(url) as connection:
            await connection.close(code, f"bye {code}")
            received = connection.protocol.close_rcvd
            equal(received and (received.code, received.reason), (code, f"bye {code}"))

    CHECKS.append((f"close_{code}_is_echoed_with_its_reason", close))


for code in (1000, 1001, 3000, 4999):
    add_close_check(code)


async def close_code_after(url, message):
    """The close code with which the server answers a message it must not take."""
    # No `async with`: closing what the server is just closing can trip the library.
    connection = await dial(url)
    with suppress(ConnectionClosed):  # the server may close while we still send
        await connection.send(message)
    with suppress(ConnectionClosed):
        await connection.recv()
    await connection.wait_closed()
    return connection.close_code


@check
async def message_over_the_limit_is_closed_with_1009(url):
    equal(await close_code_after(url, bytes(MAX_MESSAGE + 1)), 1009)


@check
async def fragments_over_the_limit_are_closed_with_1009(url):
    equal(await close_code_after(url, [bytes(MIB)] * 17), 1009)


@check
async def pipelined_messages_keep_their_order(url):
    wanted = [f"message {number}" for number in range(500)]
    async with dial(url) as connection:
        for message in wanted:
            await connection.send(message)
        equal([await connection.recv() for _ in wanted], wanted)


@check
async def twenty_connections_at_once(url):
    async def talk(number):
        async with dial(url) as connection:
            for turn in range(50):
                await connection.send(f"{number}/{turn}")
                equal(await connection.recv(), f"{number}/{turn}")

    await asyncio.gather(*(talk(number) for number in range(20)))


@check
async def every_path_echoes(url):
    async with dial(f"{url}/any/path?with=query") as connection:
        await connection.send("here too")
        equal(await connection.recv(), "here too")


# --- with a bare socket


class Raw:
    """A client that sends whatever it is told to."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    def send(self, opcode, payload=b"", first=FIN, length=None, masked=True):
        self.writer.write(frame(first | opcode, payload, length, masked))

    async def receive(self):
        """Returns the first byte and the payload of the next frame."""
        first, length = await self.reader.readexactly(2)
        if length == 126:
            (length,) = struct.unpack("!H", await self.reader.readexactly(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", await self.reader.readexactly(8))
        return first, await self.reader.readexactly(length)

    async def ends(self, seconds=2):
        equal(await asyncio.wait_for(self.reader.read(), seconds), b"")

    async def is_closed_with(self, code):
        """A Close frame with `code` and then the end of TCP, with nothing in between."""
        first, payload = await self.receive()
        equal((first, int.from_bytes(payload[:2], "big")), (FIN | CLOSE, code))
        self.send(CLOSE, payload[:2])
        await self.ends()


def frame(first, payload=b"", length=None, masked=True):
    """One frame; `length` overrides the length it declares, `masked` whether it is masked."""
    length = len(payload) if length is None else length
    mark = 0x80 if masked else 0
    if length < 126:
        head = bytes([first, mark | length])
    elif length < 1 << 16:
        head = struct.pack("!BBH", first, mark | 126, length)
    else:
        head = struct.pack("!BBQ", first, mark | 127, length)
    if not masked:
        return head + payload
    key = os.urandom(4)
    return head + key + bytes(byte ^ key[at % 4] for at, byte in enumerate(payload))


def request(url, headers=None):
    """An upgrade request and the Sec-WebSocket-Accept its answer must carry."""
    key = base64.b64encode(os.urandom(16)).decode()
    headers = headers or [
        "Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
    ]
    lines = [line.format(host=urlsplit(url).netloc, key=key) for line in headers]
    accept = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
    head = "\r\n".join(["GET / HTTP/1.1", *lines, "", ""]).encode()
    return head, base64.b64encode(accept).decode()


async def upgraded(reader, accept):
    status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    equal(status.split()[1], "101")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    equal(headers.get("sec-websocket-accept"), accept)
    equal(headers.get("upgrade", "").lower(), "websocket")
    equal(headers.get("connection", "").lower(), "upgrade")


@asynccontextmanager
async def socket(url):
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        yield reader, writer
    finally:
        writer.close()


@asynccontextmanager
async def raw(url, headers=None):
    async with socket(url) as (reader, writer):
        head, accept = request(url, headers)
        writer.write(head)
        await upgraded(reader, accept)
        yield Raw(reader, writer)


@check
async def close_without_a_code_is_answered_without_one(url):
    async with raw(url) as peer:
        peer.send(CLOSE)
        equal(await peer.receive(), (FIN | CLOSE, b""))
        await peer.ends()


VIOLATIONS = {
    "invalid_utf8": (1007, frame(FIN | TEXT, b"ab\xff")),
    "surrogate_in_utf8": (1007, frame(FIN | TEXT, b"\xed\xa0\x80")),
    "cut_utf8": (1007, frame(FIN | TEXT, b"\xe2\x82")),
    "invalid_utf8_in_a_close_reason": (1007, frame(FIN | CLOSE, b"\x03\xe8\xff")),
    "rsv1": (1002, frame(FIN | 0x40 | TEXT, b"x")),
    "rsv2": (1002, frame(FIN | 0x20 | TEXT, b"x")),
    "rsv3": (1002, frame(FIN | 0x10 | TEXT, b"x")),
    "unmasked_frame": (1002, frame(FIN | TEXT, b"x", masked=False)),
    "unknown_data_opcode": (1002, frame(FIN | 0x3)),
    "unknown_control_opcode": (1002, frame(FIN | 0xB)),
    "fragmented_ping": (1002, frame(PING)),
    "ping_over_125_bytes": (1002, frame(FIN | PING, bytes(126))),
    "continuation_of_nothing": (1002, frame(FIN | 0x0, b"x")),
    "message_inside_a_message": (1002, frame(TEXT, b"x") + frame(FIN | TEXT, b"x")),
    "close_of_one_byte": (1002, frame(FIN | CLOSE, b"\x03")),
    "close_code_1005": (1002, frame(FIN | CLOSE, b"\x03\xed")),
    "close_code_below_1000": (1002, frame(FIN | CLOSE, b"\x03\xe7")),
    "length_126_written_for_5": (1002, struct.pack("!BBH", FIN | TEXT, 0x80 | 126, 5) + bytes(9)),
    "length_127_written_for_5": (1002, struct.pack("!BBQ", FIN | TEXT, 0x80 | 127, 5) + bytes(9)),
    "length_with_its_top_bit": (1002, struct.pack("!BBQ", FIN | TEXT, 0x80 | 127, 1 << 63)),
    "declared_length_over_the_limit": (1009, frame(FIN | BINARY, length=MAX_MESSAGE + 1)),
}


def add_violation_check(name, code, octets):
    async def violate(url):
        async with raw(url) as peer:
            peer.writer.write(octets)
            await peer.is_closed_with(code)

    CHECKS.append((f"{name}_is_closed_with_{code}", violate))


for name, (code, octets) in VIOLATIONS.items():
    add_violation_check(name, code, octets)


@check
async def bytes_arriving_one_by_one(url):
    async with socket(url) as (reader, writer):
        head, accept = request(url)
        for octet in head + frame(FIN | TEXT, b"slowly"):
            writer.write(bytes([octet]))
            await asyncio.sleep(0.001)
        await upgraded(reader, accept)
        equal(await Raw(reader, writer).receive(), (FIN | TEXT, b"slowly"))


@check
async def frame_glued_to_the_request(url):
    async with socket(url) as (reader, writer):
        head, accept = request(url)
        writer.write(head + frame(FIN | TEXT, b"glued"))
        await upgraded(reader, accept)
        equal(await Raw(reader, writer).receive(), (FIN | TEXT, b"glued"))


@check
async def headers_in_unusual_case_and_order(url):
    headers = [
        "sec-websocket-VERSION:13",
        "X-Unknown: \t padded \t",
        "CONNECTION: keep-alive, uPGRADE",
        "sEC-wEBSOCKET-kEY:   {key}  ",
        "User-Agent: none",
        "upgrade: WebSocket",
        "hOST: {host}",
    ]
    async with raw(url, headers) as peer:
        peer.send(TEXT, b"upgraded")
        equal(await peer.receive(), (FIN | TEXT, b"upgraded"))


@check
async def half_closed_socket_still_gets_its_echo(url):
    async with raw(url) as peer:
        peer.send(TEXT, b"last words")
        peer.writer.write_eof()
        equal(await peer.receive(), (FIN | TEXT, b"last words"))
        # A Close frame may follow; what matters is that the connection ends.
        await asyncio.wait_for(peer.reader.read(), 5)


@check
async def nothing_follows_the_servers_close(url):
    async with raw(url) as peer:
        peer.writer.write(frame(FIN | CLOSE, b"\x03\xe8") + frame(FIN | TEXT, b"too late"))
        equal(await peer.receive(), (FIN | CLOSE, b"\x03\xe8"))
        await peer.ends()


async def main(url):
    failed = 0
    for name, function in CHECKS:
        try:
            await asyncio.wait_for(function(url), CHECK_TIMEOUT)
            print(f"ok {name}", flush=True)
        except Exception as error:  # any error at all is this check's failure
            failed += 1
            print(f"FAILED {name}: {error or type(error).__name__}", flush=True)
    print(f"{len(CHECKS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1].rstrip("/"))))
