"""Runs the checks of deflate_page.mjs in a headless Chromium, and prints what the page tells.

Usage: deflate_browser.py CHROMIUM PROFILE_DIRECTORY ws://HOST:PORT
"""

import functools
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlencode

DEADLINE_WITHOUT_A_LINE = 60


class Pages(SimpleHTTPRequestHandler):
    """Serves the page and its modules, and queues the lines it posts."""

    extensions_map = {**SimpleHTTPRequestHandler.extensions_map, ".mjs": "text/javascript"}
    protocol_version = "HTTP/1.1"
    lines = queue.Queue()

    def do_POST(self):
        self.lines.put(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


class PageServer(ThreadingHTTPServer):
    def handle_error(self, *_):
        pass  # connections break when the browser is killed, and it is by then that all has been told


def print_lines(browser):
    """Prints until the summary line has come; returns whether nothing failed."""
    while True:
        try:
            line = Pages.lines.get(timeout=DEADLINE_WITHOUT_A_LINE)
        except queue.Empty:
            ended = "" if browser.poll() is None else f"; the browser ended with {browser.returncode}"
            print(f"FAILED the page told nothing for {DEADLINE_WITHOUT_A_LINE} s{ended}")
            return False
        print(line, flush=True)
        if line.endswith(" failed"):
            return line.endswith(" 0 failed")


def main(chromium, profile, server):
    handler = functools.partial(Pages, directory=os.path.dirname(os.path.abspath(__file__)))
    pages = PageServer(("127.0.0.1", 0), handler)
    threading.Thread(target=pages.serve_forever, daemon=True).start()
    shutil.rmtree(profile, ignore_errors=True)
    query = urlencode({"server": server.rstrip("/")})
    command = [chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    command += ["--no-first-run", f"--user-data-dir={profile}"]
    command.append(f"http://127.0.0.1:{pages.server_port}/deflate_page.html?{query}")
    with open(f"{profile}.log", "wb") as log:
        # A session of its own, because the browser is many processes, and all of them must end.
        browser = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return 0 if print_lines(browser) else 1
    finally:
        os.killpg(browser.pid, signal.SIGKILL)
        browser.wait()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
