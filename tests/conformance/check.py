"""Drives kosoku, a port of the Autobahn test suite, and judges its verdicts more strictly than kosoku does.

Every selected case must have run and be OK in behaviour and in closing. kosoku itself also lets NON-STRICT pass.
"""

import argparse
import asyncio
import contextlib
import shlex
import sys
import time
from collections import Counter
from pathlib import Path

from kosoku import FailureError, run_fuzzingclient, run_fuzzingserver
from kosoku._caseindex import initialize_shims
from kosoku._report import write_reports

initialize_shims()
import case12_x_x  # noqa: E402  (one of the vendored cases, which the line above makes importable)

# How many cases each group has, so that a new kosoku or a wrong selection cannot silently run fewer.
CASES = {1: 16, 2: 11, 3: 7, 4: 10, 5: 20, 6: 145, 7: 37, 9: 54, 10: 1, 12: 90, 13: 126}

# RFC 6455 leaves these open and Autobahn only records what happens.
INFORMATIONAL = {"7.1.6", "7.13.1", "7.13.2"}

TIMEOUT = 900  # seconds for one side; all groups take about 200 on two idle cores


def mend_compression_cases():
    """Lets the cases of groups 12 and 13 take messages that went uncompressed.

    kosoku hands those over as str, as in the Python 2 these cases were written for, and the cases hash bytes.
    """

    def mended(on_message):
        def onMessage(self, msg, binary):
            if isinstance(msg, str):
                msg = msg.encode("latin-1" if binary else "utf-8")
            on_message(self, msg, binary)

        return onMessage

    for case in case12_x_x.Case12_X_X + case12_x_x.Case13_X_X:
        case.onMessage = mended(case.onMessage)


class Broken(Exception):
    """What is checked did not do what it takes to be checked."""


def accepted(result):
    verdicts = (result.behavior.value, result.behavior_close.value)
    if result.case_id in INFORMATIONAL:
        return all(verdict in ("OK", "INFORMATIONAL") for verdict in verdicts)
    return verdicts == ("OK", "OK")


def group_of(case_id):
    return int(case_id.split(".")[0])


def judge(side, groups, results):
    """Prints a table and the failing cases; says whether all is well."""
    ran = Counter(group_of(result.case_id) for result in results)
    bad = [result for result in results if not accepted(result)]
    failed = Counter(group_of(result.case_id) for result in bad)
    print(f"{side}\n  group  cases    ran  failed")
    for group in groups:
        print(f"  {group:5}  {CASES[group]:5}  {ran[group]:5}  {failed[group]:6}")
    for result in bad:
        print(f"  {result.case_id}: {result.behavior.value}, closing {result.behavior_close.value}")
        print(f"    {result.result} / {result.result_close}")
        print(f"    expected: {' '.join(result.expectation.split())}")
    # Ids, not results: a case that was run twice must not stand in for one that was not run.
    complete = len({result.case_id for result in results}) == sum(CASES[group] for group in groups)
    complete = complete and all(ran[group] == CASES[group] for group in groups)
    if not complete:
        print("  the cases that ran are not the cases of these groups")
    return complete and not bad


@contextlib.asynccontextmanager
async def program(command, **pipes):
    process = await asyncio.create_subprocess_exec(*shlex.split(command), **pipes)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def check_server(command, patterns, parallel):
    async with program(command, stdout=asyncio.subprocess.PIPE) as server:
        line = (await asyncio.wait_for(server.stdout.readline(), 10)).decode()
        if not line.startswith("listening on "):
            raise Broken(f"the server said {line!r}, not `listening on HOST:PORT`")
        try:
            results = await run_fuzzingclient(f"ws://{line.split()[-1]}", patterns, concurrency=parallel)
        except FailureError as failure:
            results = failure.results
        if server.returncode is not None:
            raise Broken(f"the server ended by itself with status {server.returncode}")
        return results


async def check_client(command, patterns):
    async with run_fuzzingserver(patterns, host="127.0.0.1", port=0) as fuzzer:
        async with program(f"{command} ws://127.0.0.1:{fuzzer.port}") as client:
            verdict = asyncio.ensure_future(fuzzer.get_result())
            ended = asyncio.ensure_future(client.wait())
            await asyncio.wait([verdict, ended], return_when=asyncio.FIRST_COMPLETED)
            # The fuzzer ends when the client asks for the reports, so a client that dies early would leave it waiting.
            await asyncio.wait([verdict], timeout=5)
            if not verdict.done():
                verdict.cancel()
                raise Broken(f"the client ended with status {client.returncode} before the last case")
            status = await asyncio.wait_for(ended, 10)
            if status != 0:
                raise Broken(f"the client ended with status {status}")
            try:
                return await verdict
            except FailureError as failure:
                return failure.results


async def run_side(side, arguments):
    patterns = [f"{group}.*" for group in arguments.groups]
    start = time.monotonic()
    if side == "server":
        checked = check_server(arguments.server, patterns, arguments.parallel)
    else:
        checked = check_client(arguments.client, patterns)
    try:
        results = await asyncio.wait_for(checked, TIMEOUT)
    except Broken as why:
        print(f"{side}\n  {why}", flush=True)
        return False
    except asyncio.TimeoutError:
        print(f"{side}\n  not done after {TIMEOUT} s", flush=True)
        return False
    reports = Path(arguments.reports) / side
    write_reports(results, str(reports))
    good = judge(side, arguments.groups, results)
    print(f"  {len(results)} cases in {time.monotonic() - start:.0f} s; reports in {reports}", flush=True)
    return good


async def main():
    mend_compression_cases()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", required=True, help="command of the echo server")
    parser.add_argument("--client", required=True, help="command of the echoing client; the URL is appended")
    parser.add_argument("--reports", required=True, help="directory for kosoku's HTML and JSON reports")
    parser.add_argument("--only", choices=["server", "client"])
    # One at a time by default: some verdicts are about timing, and a loaded machine would blur them.
    parser.add_argument("--parallel", type=int, default=1)
    parser.add_argument(
        "--groups", type=lambda text: [int(group) for group in text.split(",")], default=list(CASES)
    )
    arguments = parser.parse_args()
    sides = [arguments.only] if arguments.only else ["server", "client"]
    good = [await run_side(side, arguments) for side in sides]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
