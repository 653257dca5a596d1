"""What the permessage-deflate checks on python `websockets` share: combinations, counters, and the rules of RFC 7692."""

import itertools
import json
import random
import zlib

from websockets.extensions import permessage_deflate
from websockets.frames import CONT, CTRL_OPCODES

FRAGMENT_SIZES = [125, 4096, 128 << 10]
MEMORIES = ["dedicated", "compact", "none"]
# The servers' `MemoryMode::Compact { history: 1024 }` needs a peer that looks back no further than this.
COMPACT_BITS = 10
FLAGS = [False, True]
SERVER_BITS = [None, 9, 10, 12, 15]
CLIENT_BITS = [None, 9, 12, 15]
# In an offer `client_max_window_bits` may also stand without a value.
OFFERED_CLIENT_BITS = [None, True, 9, 12, 15]

PARAMETERS = (
    "server_no_context_takeover",
    "client_no_context_takeover",
    "server_max_window_bits",
    "client_max_window_bits",
)
TAIL = b"\x00\x00\xff\xff"


def combinations(client_bits):
    values = itertools.product(FLAGS, FLAGS, SERVER_BITS, client_bits)
    return [dict(zip(PARAMETERS, combination)) for combination in values]


NOTHING_ASKED = dict(zip(PARAMETERS, (False, False, None, None)))


def path_of(config, memory, turn):
    """`turn` chooses the size of the server's fragments."""
    shown = [str(int(value)) if isinstance(value, bool) else str(value or "-") for value in config.values()]
    return "/snct={}/cnct={}/swb={}/cwb={}".format(*shown) + f"/{memory}/{FRAGMENT_SIZES[turn % len(FRAGMENT_SIZES)]}"


def config_of(path):
    """Reads what a path configures: /snct=1/cnct=0/swb=10/cwb=-"""
    values = [part.partition("=")[2] for part in path.split("/")[1:5]]
    bits = [None if value == "-" else int(value) for value in values[2:]]
    return dict(zip(PARAMETERS, (values[0] == "1", values[1] == "1", *bits)))


def parse(header):
    """The parameters of the one extension in a Sec-WebSocket-Extensions header."""
    name, *parameters = [part.strip() for part in header.split(";")]
    if name != "permessage-deflate" or "," in header:
        raise AssertionError(f"not one permessage-deflate: {header!r}")
    parsed = {}
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key not in PARAMETERS or key in parsed or value == "" and key.endswith("bits"):
            raise AssertionError(f"{parameter!r} in the answer {header!r}")
        parsed[key] = int(value) if value else True
    return parsed


def check_answer(answer, offer, config, memory):
    """RFC 7692 §7.1, and what our server's options and memory mode ask for."""
    rules = {
        "server_no_context_takeover": not (offer[PARAMETERS[0]] or config[PARAMETERS[0]] or memory == "none")
        or "server_no_context_takeover" in answer,
        "client_no_context_takeover": not (config[PARAMETERS[1]] or memory == "none")
        or "client_no_context_takeover" in answer,
    }
    limit = min(offer["server_max_window_bits"] or 15, config["server_max_window_bits"] or 15)
    rules["server_max_window_bits"] = answer.get("server_max_window_bits", 15) <= limit
    rules["server_max_window_bits echoed"] = not offer["server_max_window_bits"] or "server_max_window_bits" in answer
    offered = offer["client_max_window_bits"]
    limit = min(config["client_max_window_bits"] or 15, COMPACT_BITS if memory == "compact" else 15)
    if offered:
        limit = min(limit, 15 if offered is True else offered)
        granted = answer.get("client_max_window_bits", 15 if offered is True else offered)
        rules["client_max_window_bits"] = granted <= limit or "client_no_context_takeover" in answer
    else:
        rules["client_max_window_bits unasked"] = "client_max_window_bits" not in answer
        rules["client_no_context_takeover instead"] = limit == 15 or "client_no_context_takeover" in answer
    if memory == "dedicated" and config == NOTHING_ASKED:
        uncalled = [name for name in answer if not offer[name]]
        rules[f"uncalled for: {uncalled}"] = not uncalled
    broken = [rule for rule, holds in rules.items() if not holds]
    if broken:
        raise AssertionError(f"the answer {answer} to {offer} breaks {broken}")


class Volume:
    """Compressed messages of one direction: their number, and their bytes outside and on the wire."""

    def __init__(self):
        self.messages = self.plain = self.wire = 0

    def shown(self):
        return {"messages": self.messages, "plain": self.plain, "wire": self.wire}


class Recorder:
    """A permessage-deflate that counts, and that keeps what it received."""

    name = permessage_deflate.PerMessageDeflate.name

    def __init__(self, inner):
        self.inner = inner
        self.sent, self.received = Volume(), Volume()
        self.payloads = []
        self.compressed = False
        self.strict_inflater = None

    def encode(self, frame):
        encoded = self.inner.encode(frame)
        if frame.opcode not in CTRL_OPCODES:
            self.sent.messages += frame.opcode is not CONT
            self.sent.plain += len(frame.data)
            self.sent.wire += len(encoded.data)
        return encoded

    def decode(self, frame, *, max_size=None):
        payload = bytes(frame.data)
        if frame.opcode not in CTRL_OPCODES and frame.opcode is not CONT:
            self.compressed = frame.rsv1
            if self.compressed:
                self.received.messages += 1
                self.payloads.append(b"")
        decoded = self.inner.decode(frame, max_size=max_size)
        if frame.opcode not in CTRL_OPCODES and self.compressed:
            self.payloads[-1] += payload
            self.received.wire += len(payload)
            self.received.plain += len(decoded.data)
        return decoded

    def check_window(self):
        """Inflates all that came since the last time once more, in steps so small that no distance beyond the window
        is forgiven."""
        for payload in self.payloads:
            if self.strict_inflater is None or self.inner.remote_no_context_takeover:
                self.strict_inflater = zlib.decompressobj(wbits=-self.inner.remote_max_window_bits)
            inflate_in_steps(self.strict_inflater, payload + TAIL)
        self.payloads.clear()


def inflate_in_steps(inflater, data, step=256):
    for start in range(0, len(data), step):
        waiting = data[start : start + step]
        while len(inflater.decompress(waiting, step)) == step or inflater.unconsumed_tail:
            waiting = inflater.unconsumed_tail


class RecordingClientFactory(permessage_deflate.ClientPerMessageDeflateFactory):
    def process_response_params(self, params, accepted_extensions):
        return Recorder(super().process_response_params(params, accepted_extensions))


class RecordingServerFactory(permessage_deflate.ServerPerMessageDeflateFactory):
    def process_request_params(self, params, accepted_extensions):
        answer, extension = super().process_request_params(params, accepted_extensions)
        return answer, Recorder(extension)


# --- messages

CHANCE = random.Random(7692)
# It shrinks even alone, so that each memory mode compresses it.
SHORT_JSON = '{"kind":"order","items":[{"id":1,"count":1},{"id":2,"count":2},{"id":3,"count":3}],"id":76}'
NOISE = CHANCE.randbytes(10 * 1024)
# Chance and a run, which shrinks even without its first copy, so that it is compressed. Twice it is beyond a window of 9
# or 10 bits, and well within one of 12.
WINDOW_PROBE = bytes(byte % 128 for byte in CHANCE.randbytes(3000)) + bytes(200)
MULTIBYTE = "aé€😀\u0000\uffff\U0010ffff"


def order(number):
    return {"id": number, "customer": "Grace Hopper", "price": CHANCE.randrange(100_000) / 100, "note": None, "paid": number % 3 == 0}


def orders(size):
    text = json.dumps([order(number) for number in range(size // 80)])
    return text.ljust(size)[:size]


KIB_JSON = orders(1 << 10)
MIB_JSON = orders(1 << 20)
LONG_TEXT = "".join(CHANCE.choices("the quick brown fox jumps over é€😀 ", k=70_000)).encode()[: 100 << 10].decode(errors="ignore")
