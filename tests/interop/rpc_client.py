"""Holds conversations in JSON-RPC 2.0 with our rpc server: python `websockets`, and texts typed by hand.

Usage: rpc_client.py ws://HOST:PORT
"""

import asyncio
import json
import os
import sys
from contextlib import asynccontextmanager

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

CHECK_TIMEOUT = 30
PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS, INTERNAL_ERROR = -32700, -32600, -32601, -32602, -32603
CANCELLED, DEADLINE_EXCEEDED, PERMISSION_DENIED, RESOURCE_EXHAUSTED = -32001, -32004, -32007, -32008

CHECKS = []
KEYS = iter(range(1 << 32))


def check(function):
    async def run(url):
        async with dial(url) as talk:
            await function(talk)

    CHECKS.append((function.__name__, run))
    return function


def equal(got, wanted):
    if got != wanted:
        raise AssertionError(f"got {got!r}, wanted {wanted!r}")


def fresh():
    """A name that no other check has: what the server knows is shared by all conversations."""
    return f"python {os.getpid()} {next(KEYS)}"


def request(id, method, *params, **named):
    return {"jsonrpc": "2.0", "method": method, "params": named or list(params), "id": id}


def notification(method, *params, **named):
    return {"jsonrpc": "2.0", "method": method, "params": named or list(params)}


def result(id, value):
    return {"jsonrpc": "2.0", "id": id, "result": value}


class Talk:
    def __init__(self, connection):
        self.connection = connection

    async def say(self, message):
        await self.connection.send(message if isinstance(message, str) else json.dumps(message))

    async def hear(self):
        text = await self.connection.recv()
        equal(type(text), str)
        return json.loads(text)

    async def ask(self, id, method, *params, **named):
        """A request whose reply is heard next."""
        await self.say(request(id, method, *params, **named))
        return await self.hear()

    async def fails(self, code, id, method, *params):
        """A request whose reply is an error with this code."""
        return failed(await self.ask(id, method, *params), id, code)

    async def subscribe(self, id, method, *params):
        reply = await self.ask(id, method, *params)
        subscription = reply["result"]
        equal(reply, result(id, subscription))
        equal(type(subscription), str)
        return subscription

    async def ask_meanwhile(self, id, method, *params):
        """A request whose reply is heard among items of subscriptions."""
        await self.say(request(id, method, *params))
        while (heard := await self.hear()).get("id") != id:
            equal("result" in heard["params"], True)
        return heard

    async def item(self, method, subscription, value):
        params = {"subscription": subscription, "result": value}
        equal(await self.hear(), {"jsonrpc": "2.0", "method": method, "params": params})

    async def ended(self, method, subscription):
        heard = await self.hear()
        error = heard["params"]["error"]
        params = {"subscription": subscription, "error": error}
        equal(heard, {"jsonrpc": "2.0", "method": method, "params": params})
        return error

    async def is_quiet(self):
        """The reply to a new request is heard next."""
        equal(await self.ask("quiet?", "calc.add", 40, 2), result("quiet?", 42))


def failed(reply, id, code):
    error = reply["error"]
    equal(reply, {"jsonrpc": "2.0", "id": id, "error": error})
    equal(error["code"], code)
    return error


@asynccontextmanager
async def dial(url, **options):
    async with connect(url, compression=None, ping_interval=None, **options) as connection:
        yield Talk(connection)


# --- requests and replies


@check
async def a_request_is_answered(talk):
    equal(await talk.ask(1, "calc.add", 40, 2), result(1, 42))


@check
async def params_come_by_name_or_not_at_all(talk):
    equal(await talk.ask(1, "calc.add", b=2, a=40), result(1, 42))
    await talk.say({"jsonrpc": "2.0", "method": "calc.about", "id": 2})
    equal((await talk.hear())["id"], 2)
    await talk.fails(INVALID_PARAMS, 3, "calc.add", 1)
    failed(await talk.ask(4, "calc.add", a=1), 4, INVALID_PARAMS)


@check
async def ids_come_back_as_they_were(talk):
    for id in (0, 1, -7, 2**60, "", "one", 'with "quotes" and \u00e9', "1", 1.5):
        equal(await talk.ask(id, "calc.add", 40, 2), result(id, 42))


@check
async def replies_come_as_they_are_ready(talk):
    one, two = fresh(), fresh()
    await talk.say(request("one", "calc.hold", one))
    await talk.say(request("two", "calc.hold", two))
    await talk.is_quiet()
    await talk.say(notification("calc.release", two))
    equal(await talk.hear(), result("two", two))
    await talk.say(notification("calc.release", one))
    equal(await talk.hear(), result("one", one))


@check
async def errors_have_codes_and_data(talk):
    error = await talk.fails(1234, 1, "calc.div", 7, 0)
    equal(error, {"code": 1234, "message": "division by zero", "data": {"dividend": 7}})
    equal(await talk.fails(-32005, 2, "calc.status", 5), {"code": -32005, "message": "as you wish"})
    await talk.fails(METHOD_NOT_FOUND, 3, "calc.sqrt", 2)
    await talk.fails(INVALID_PARAMS, 4, "calc.add", "40", 2)
    equal(await talk.fails(INTERNAL_ERROR, 5, "calc.panics"), {"code": INTERNAL_ERROR, "message": ""})
    await talk.is_quiet()


@check
async def notifications_are_handled_and_not_answered(talk):
    line = fresh()
    await talk.say(notification("calc.log", f"{line} one"))
    await talk.say(notification("calc.log", line=f"{line} two"))
    await talk.say(notification("calc.nothing"))
    await talk.say(notification("calc.log", 2))
    await talk.say(notification("calc.add", 40, 2))
    equal(await talk.ask(1, "calc.logged", line, 2), result(1, [f"{line} one", f"{line} two"]))
    await talk.is_quiet()


# --- batches


def by_id(replies):
    return sorted(replies, key=lambda reply: str(reply["id"]))


@check
async def a_batch_is_answered_as_one(talk):
    line = fresh()
    batch = [
        request(1, "calc.add", 40, 2),
        notification("calc.log", line),
        request(2, "calc.sqrt"),
        {"foo": "bar"},
        1,
        request(3, "calc.div", 7, 0),
    ]
    await talk.say(batch)
    first, second, third, *invalid = by_id(await talk.hear())
    equal(first, result(1, 42))
    failed(second, 2, METHOD_NOT_FOUND)
    failed(third, 3, 1234)
    equal(len(invalid), 2)
    for reply in invalid:
        failed(reply, None, INVALID_REQUEST)
    equal(await talk.ask(4, "calc.logged", line, 1), result(4, [line]))


@check
async def a_batch_waits_for_its_last_and_for_nobody_else(talk):
    key = fresh()
    await talk.say([request(1, "calc.hold", key), request(2, "calc.add", 40, 2)])
    await talk.is_quiet()
    await talk.say(notification("calc.release", key))
    equal(by_id(await talk.hear()), [result(1, key), result(2, 42)])


@check
async def a_batch_of_notifications_is_not_answered(talk):
    line = fresh()
    await talk.say([notification("calc.log", line), notification("calc.log", line)])
    equal(await talk.ask(1, "calc.logged", line, 2), result(1, [line, line]))
    await talk.is_quiet()


@check
async def batches_have_their_limits(talk):
    await talk.say([])
    failed(await talk.hear(), None, INVALID_REQUEST)
    await talk.say([request(id, "calc.add", id, 1) for id in range(1000)])
    equal(sorted((reply["id"], reply["result"]) for reply in await talk.hear()), [(id, id + 1) for id in range(1000)])
    await talk.say([request(id, "calc.add", id, 1) for id in range(1001)])
    failed(await talk.hear(), None, INVALID_REQUEST)
    await talk.is_quiet()


# --- what is none


@check
async def what_is_no_json_is_a_parse_error(talk):
    for text in ("hello?", "", '{"jsonrpc": "2.0", "method": "calc.add", "params": [1, "id": 1}', "[1,2", "{} {}"):
        await talk.say(text)
        failed(await talk.hear(), None, PARSE_ERROR)
    await talk.is_quiet()


@check
async def what_is_no_request_is_refused(talk):
    for message in (1, "text", None, {}, {"jsonrpc": "2.0"}, {"jsonrpc": "2.0", "method": 1}, {"method": "calc.add"}):
        await talk.say(json.dumps(message))
        failed(await talk.hear(), None, INVALID_REQUEST)
    for id in (None, [1], {"a": 1}, True):
        await talk.say({"jsonrpc": "2.0", "method": "calc.add", "params": [40, 2], "id": id})
        failed(await talk.hear(), None, INVALID_REQUEST)
    await talk.say({"jsonrpc": "1.0", "method": "calc.add", "params": [40, 2], "id": 1})
    failed(await talk.hear(), 1, INVALID_REQUEST)
    await talk.say({"jsonrpc": "2.0", "method": "calc.add", "params": "40, 2", "id": 1})
    failed(await talk.hear(), 1, INVALID_PARAMS)
    await talk.fails(METHOD_NOT_FOUND, 2, "$/unheardOf")
    await talk.say(notification("$/unheardOf"))
    await talk.say(result(4711, "nobody asked"))
    await talk.is_quiet()


# --- cancelling


@check
async def a_cancelled_request_is_answered_with_an_error(talk):
    for id in (1, "one"):
        key = fresh()
        await talk.say(request(id, "calc.wait", key))
        await talk.say(notification("$/cancelRequest", id=id))
        failed(await talk.hear(), id, CANCELLED)
        equal(await talk.ask(2, "calc.dropped", key, 1), result(2, None))
        await talk.say(notification("$/cancelRequest", id=id))
        await talk.is_quiet()


@check
async def a_request_whose_id_is_in_use_is_refused(talk):
    key = fresh()
    await talk.say(request(1, "calc.hold", key))
    await talk.fails(INVALID_REQUEST, 1, "calc.add", 40, 2)
    await talk.say(notification("calc.release", key))
    equal(await talk.hear(), result(1, key))


# --- subscriptions


@check
async def a_subscription_ends_behind_its_last_item(talk):
    subscription = await talk.subscribe(1, "calc.count", 100)
    for value in range(1, 101):
        await talk.item("calc.count", subscription, value)
    equal((await talk.ended("calc.count", subscription))["code"], 0)
    equal(await talk.ask(2, "calc.unsubscribe", subscription), result(2, False))


@check
async def a_subscription_ends_with_an_error(talk):
    subscription = await talk.subscribe(1, "calc.broken", 1)
    await talk.item("calc.broken", subscription, 1)
    error = await talk.ended("calc.broken", subscription)
    equal(error, {"code": 1234, "message": "division by zero", "data": {"dividend": 7}})


@check
async def a_subscription_that_is_refused_is_a_failed_request(talk):
    await talk.fails(INVALID_PARAMS, 1, "calc.count", "many")
    await talk.is_quiet()


@check
async def who_unsubscribes_hears_no_more(talk):
    one, two = fresh(), fresh()
    first = await talk.subscribe(1, "calc.ticks", one)
    await talk.item("calc.ticks", first, 0)
    equal(await talk.ask_meanwhile(2, "calc.unsubscribe", first), result(2, True))
    equal(await talk.ask(3, "calc.dropped", one, 1), result(3, None))
    await talk.is_quiet()
    # Another one lives and dies alone.
    second = await talk.subscribe(4, "calc.ticks", two)
    if second == first:
        raise AssertionError(f"{first} was used before")
    await talk.item("calc.ticks", second, 0)
    equal(await talk.ask_meanwhile(5, "calc_unsubscribeTicks", first), result(5, False))
    await talk.say(notification("$/cancelRequest", id=4711))
    equal((await talk.hear())["params"]["subscription"], second)


@check
async def an_unknown_subscription_is_no_method(talk):
    await talk.fails(METHOD_NOT_FOUND, 1, "calc.unsubscribe", "s1")


async def a_lost_connection_ends_its_subscriptions(url):
    key = fresh()
    async with dial(url) as lost, dial(url) as talk:
        await lost.subscribe(1, "calc.ticks", key)
        lost.connection.transport.abort()
        equal(await talk.ask(1, "calc.dropped", key, 1), result(1, None))


CHECKS.append(("a_lost_connection_ends_its_subscriptions", a_lost_connection_ends_its_subscriptions))


# --- the server calls


@check
async def the_server_calls_and_gets_its_answer(talk):
    for answer in (True, False):
        await talk.say(request("asking", "calc.ask", "sure?"))
        asked = await talk.hear()
        equal(asked, request(asked["id"], "ui.confirm", "sure?"))
        await talk.is_quiet()
        await talk.say(result(asked["id"], answer))
        equal(await talk.hear(), result("asking", answer))


@check
async def the_server_is_told_of_a_failure(talk):
    asked = await talk.ask(1, "calc.ask", "sure?")
    error = {"code": PERMISSION_DENIED, "message": "who asks?"}
    await talk.say({"jsonrpc": "2.0", "id": asked["id"], "error": error})
    equal(failed(await talk.hear(), 1, PERMISSION_DENIED), error)


@check
async def a_call_of_the_server_may_have_the_id_of_one_of_ours(talk):
    asked = await talk.ask(2, "calc.ask", "sure?")
    equal(asked["method"], "ui.confirm")
    again = await talk.ask(asked["id"] + 2, "calc.ask", "sure?")
    await talk.say(result(again["id"], False))
    equal(await talk.hear(), result(asked["id"] + 2, False))
    await talk.say(result(asked["id"], True))
    equal(await talk.hear(), result(2, True))


@check
async def the_server_notifies_and_gives_up(talk):
    await talk.say(request(1, "calc.tell", "news"))
    heard = [await talk.hear(), await talk.hear()]
    equal(sorted(heard, key=lambda message: "id" in message), [notification("ui.told", "news"), result(1, None)])
    asked = await talk.ask(2, "calc.impatient")
    equal(asked["method"], "ui.wait")
    heard = [await talk.hear(), await talk.hear()]
    cancel, reply = sorted(heard, key=lambda message: "id" in message)
    equal(cancel, notification("$/cancelRequest", id=asked["id"]))
    failed(reply, 2, DEADLINE_EXCEEDED)
    await talk.is_quiet()


@check
async def the_server_subscribes_to_its_client(talk):
    asked = await talk.ask(1, "calc.gather", 100)
    equal(asked, request(asked["id"], "ui.numbers", 100))
    await talk.say(result(asked["id"], "numbers"))
    for number in range(1, 101):
        await talk.say(notification("ui.numbers", subscription="numbers", result=number))
    end = {"code": 0, "message": "end of stream"}
    await talk.say(notification("ui.numbers", subscription="numbers", error=end))
    equal(await talk.hear(), result(1, 5050))


# --- limits and subprotocols


async def limits_are_those_of_the_server(url):
    async with dial(f"{url}/strict") as talk:
        await talk.fails(DEADLINE_EXCEEDED, 1, "calc.wait", fresh())
        for id in (2, 3):
            equal((await talk.ask_meanwhile(id, "calc.ticks", fresh())).keys(), {"jsonrpc", "id", "result"})
        failed(await talk.ask_meanwhile(4, "calc.add", 40, 2), 4, RESOURCE_EXHAUSTED)


async def json_rpc_has_a_subprotocol(url):
    async with dial(url, subprotocols=["jsonrpc"]) as talk:
        equal(talk.connection.subprotocol, "jsonrpc")
        equal(await talk.ask(1, "calc.add", 40, 2), result(1, 42))


async def a_server_that_goes_away_says_so(url):
    async with dial(url) as talk:
        await talk.say(request(1, "calc.leave"))
        heard = sorted([await talk.hear(), await talk.hear()], key=lambda message: "id" in message)
        going = notification("$/goaway", code=4001, reason="restart", retry_ms=500)
        equal(heard, [going, result(1, None)])
        try:
            await talk.hear()
        except ConnectionClosed as closed:
            equal(closed.rcvd and closed.rcvd.code, 4001)
        else:
            raise AssertionError("the connection goes on")


for function in (limits_are_those_of_the_server, json_rpc_has_a_subprotocol, a_server_that_goes_away_says_so):
    CHECKS.append((function.__name__, function))


async def main(url):
    failures = 0
    for name, function in CHECKS:
        try:
            await asyncio.wait_for(function(url), CHECK_TIMEOUT)
            print(f"ok {name}", flush=True)
        except Exception as error:  # any error at all is this check's failure
            failures += 1
            print(f"FAILED {name}: {error or type(error).__name__}", flush=True)
    print(f"{len(CHECKS) - failures} passed, {failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1].rstrip("/"))))
