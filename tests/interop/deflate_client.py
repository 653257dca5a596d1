"""Checks permessage-deflate with python `websockets` as the client: every offer in every memory mode of the server,
and every configuration of the server against an offer without parameters (as Firefox makes it).

Usage: deflate_client.py ws://HOST:PORT
"""

import asyncio
import json
import sys

from websockets.asyncio.client import connect

from deflate_common import (
    CLIENT_BITS,
    KIB_JSON,
    LONG_TEXT,
    MEMORIES,
    MIB_JSON,
    MULTIBYTE,
    NOISE,
    NOTHING_ASKED,
    OFFERED_CLIENT_BITS,
    SHORT_JSON,
    WINDOW_PROBE,
    RecordingClientFactory,
    check_answer,
    combinations,
    parse,
    path_of,
)

CHECK_TIMEOUT = 60
AT_A_TIME = 4
# A second copy behind a window that reaches it is a few bytes; behind one that does not it is what the first was.
FOUND_AGAIN = 0.25
WINDOW_HELD = 0.9
# zlib looks back 262 bytes less than its window.
REACH_OF_PROBE = 12


def equal(got, wanted, what):
    if got != wanted:
        shown = [repr(value) if len(repr(value)) < 200 else f"{len(value)} items" for value in (got, wanted)]
        raise AssertionError(f"{what}: got {shown[0]}, wanted {shown[1]}")


class Talk:
    """One connection, whose messages are echoed and measured."""

    def __init__(self, connection):
        self.connection = connection
        self.recorder = connection.protocol.extensions[0]

    async def echo(self, message, wanted=None):
        """Returns how many bytes the message took there, and back."""
        sent, received = self.recorder.sent.wire, self.recorder.received.wire
        await self.connection.send(message)
        equal(await self.connection.recv(), message if wanted is None else wanted, "echo")
        return self.recorder.sent.wire - sent, self.recorder.received.wire - received

    async def report(self):
        """The server's counts agree with ours; its own answer is in neither."""
        received = self.recorder.received.shown()
        await self.connection.send("?")
        report = json.loads(await self.connection.recv())
        equal(report["received"], self.recorder.sent.shown(), "received by the server")
        equal(report["sent"], received, "sent by the server")
        equal(self.recorder.received.shown(), received, "the report is not compressed")
        return report

    async def check_windows(self, dedicated):
        """Each side looks back no further than agreed; and as far, where it has room for it."""
        inner = self.recorder.inner
        for message, reached_from in ((SHORT_JSON, 9), (WINDOW_PROBE, REACH_OF_PROBE)):
            first, second = await self.echo(message), await self.echo(message)
            sides = {
                "client": (inner.local_no_context_takeover, inner.local_max_window_bits, True),
                "server": (inner.remote_no_context_takeover, inner.remote_max_window_bits, dedicated),
            }
            for (side, (forgets, bits, has_room)), was, now in zip(sides.items(), first, second):
                if was == 0:
                    raise AssertionError(f"the {side} compressed nothing")
                reaches = not forgets and bits >= reached_from
                if reaches and (has_room or message is SHORT_JSON) and now > was * FOUND_AGAIN:
                    raise AssertionError(f"no takeover: the {side} wrote {was} bytes, then {now}")
                if not reaches and now < was * WINDOW_HELD:
                    raise AssertionError(f"the {side} looked back too far: {was} bytes, then {now}")


async def small_messages(talk):
    for message in ("", "", "x", b"", KIB_JSON, MULTIBYTE * 50, NOISE, KIB_JSON):
        await talk.echo(message)


async def everything(talk):
    await small_messages(talk)
    for _ in range(20):
        await talk.echo(KIB_JSON)
    await (await talk.connection.ping(b"between"))
    await talk.echo([SHORT_JSON, "", KIB_JSON, MULTIBYTE], SHORT_JSON + KIB_JSON + MULTIBYTE)
    await talk.echo([NOISE[:1], NOISE[1:9000], NOISE[9000:]], NOISE)
    await ping_between_fragments(talk)
    await talk.echo(LONG_TEXT)
    await talk.echo(MIB_JSON)


async def ping_between_fragments(talk):
    async def fragments():
        yield "before " * 100
        await (await talk.connection.ping(b"between"))
        yield "after " * 100

    await talk.connection.send(fragments())
    equal(await talk.connection.recv(), "before " * 100 + "after " * 100, "echo")


async def talk_once(url, path, offer, config, memory, messages):
    factory = RecordingClientFactory(**offer)
    options = {"compression": None, "extensions": [factory], "max_size": None, "ping_interval": None}
    async with connect(url + path, **options) as connection:
        if not connection.protocol.extensions:
            raise AssertionError("the offer was declined")
        header = connection.response.headers["Sec-WebSocket-Extensions"]
        check_answer(parse(header), offer, config, memory)
        talk = Talk(connection)
        await talk.check_windows(memory == "dedicated")
        await messages(talk)
        equal(parse((await talk.report())["agreed"]), parse(header), "agreed")
        talk.recorder.check_window()
        await connection.close(1000, "done")
        equal((connection.close_code, connection.close_reason), (1000, "done"), "close")


def checks():
    """Each check's name, and the arguments of its conversation."""
    for mode, memory in enumerate(MEMORIES):
        for at, offer in enumerate(combinations(OFFERED_CLIENT_BITS)):
            # Each offer meets everything in one of the memory modes: it takes the most time.
            messages = everything if (at + mode) % len(MEMORIES) == 0 else small_messages
            path = path_of(NOTHING_ASKED, memory, at // 3 + mode)
            yield f"offer {offer} to {path}", (path, offer, NOTHING_ASKED, memory, messages)
        for at, config in enumerate(combinations(CLIENT_BITS)):
            path = path_of(config, memory, at // 3 + mode)
            yield f"config {path}", (path, NOTHING_ASKED, config, memory, small_messages)


async def main(url):
    waiting = checks()
    passed = failed = 0

    async def work():
        nonlocal passed, failed
        for name, arguments in waiting:
            try:
                await asyncio.wait_for(talk_once(url, *arguments), CHECK_TIMEOUT)
                passed += 1
                print(f"ok {name}", flush=True)
            except Exception as error:  # any error at all is this check's failure
                failed += 1
                print(f"FAILED {name}: {type(error).__name__} {error}", flush=True)

    await asyncio.gather(*(work() for _ in range(AT_A_TIME)))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1].rstrip("/"))))
