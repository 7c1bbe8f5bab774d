"""An S3 server (moto) in a process of its own, and a proxy before it that makes it err, stall, trickle or hang up.

::

    with object_store() as uri:                 # s3://bucket/results?endpoint_override=...
        ...
    with object_store() as uri, faulty(uri) as proxy:
        start(proxy.uri)
        proxy.mode = "stall"                    # from now on, until it is "ok" again
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_EC2_METADATA_DISABLED": "true"}
SERVER = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""
ERRORS = {403: "AccessDenied", 500: "InternalError", 503: "SlowDown"}
BUCKETS = itertools.count()
OWN = ("content-length", "transfer-encoding", "connection", "expect", "server", "date")  # of one of the two connections
REQUEST_LINE = re.compile(r"^/[^/?]+/?(?P<key>[^?]*)(\?(?P<query>.*))?$")


@contextlib.contextmanager
def object_store() -> Iterator[str]:
    """The URI of a folder in a fresh bucket; AWS_ACCESS_KEY_ID and its like are in the environment meanwhile.

    The server ends with this process, however this ends: its standard input is then closed.
    """
    before = {name: os.environ.get(name) for name in CREDENTIALS}
    os.environ.update(CREDENTIALS)
    command = [sys.executable, "-c", SERVER]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert server.stdout is not None
        endpoint = f"127.0.0.1:{int(server.stdout.readline())}"
        yield fresh_bucket(endpoint)
    finally:
        server.kill()
        server.communicate()
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def fresh_bucket(endpoint: str) -> str:
    """The URI of a folder in a bucket that is made now."""
    bucket = f"bucket-{next(BUCKETS)}"
    connection = http.client.HTTPConnection(endpoint)
    connection.request("PUT", f"/{bucket}", headers={"Content-Length": "0"})
    assert connection.getresponse().status == 200
    connection.close()
    return f"s3://{bucket}/results?endpoint_override={endpoint}&scheme=http&region=us-east-1"


@contextlib.contextmanager
def faulty(uri: str) -> Iterator[Proxy]:
    """A proxy before the store of this URI."""
    proxy = Proxy(uri)
    serving = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    serving.start()
    try:
        yield proxy
    finally:
        proxy.mode = "ok"  # lets go of whom it holds
        proxy.shutdown()
        proxy.server_close()


class Proxy(ThreadingHTTPServer):
    """Between a client and the store. ``mode`` holds from the next request on:

    'ok'; '403', '500', '503': answers with that error; 'stall': accepts and does not answer; 'hold': passes it on when
    the mode changes; 'trickle': answers a byte a second; 'cut upload', 'cut download': resets the connection in the
    middle of a body; 'refuse': at once.

    ``only``: requests whose line does not match this pattern pass. ``times``: so many faults, the rest passes.
    ``asked``: (method, path with query, mode) of each request; ``faults``: how many were not let pass.
    """

    daemon_threads, block_on_close = True, False

    def __init__(self, uri: str) -> None:
        super().__init__(("127.0.0.1", 0), Relay)
        found = re.search(r"endpoint_override=([^&]*)", uri)
        assert found is not None
        self.store = found[1]
        self.uri = uri.replace(self.store, f"127.0.0.1:{self.server_address[1]}")
        self.mode, self.only, self.times = "ok", "", -1
        self.asked: list[tuple[str, str, str]] = []
        self.counting = threading.Lock()

    @property
    def faults(self) -> int:
        return sum(mode != "ok" for _, _, mode in self.asked)

    def counts(self) -> Counter[str]:
        """How many requests of each kind there were: 'PUT object', 'LIST', ..."""
        return Counter(_kind(method, path) for method, path, _ in self.asked)

    def mode_of(self, method: str, path: str) -> str:
        """What becomes of a request, which is counted."""
        with self.counting:
            mode = self.mode if self.times and re.search(self.only, f"{method} {path}") else "ok"
            self.times -= mode != "ok"
            self.asked.append((method, path, mode))
            return mode

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hung up is no news."""


class Relay(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    server: Proxy

    def relay(self) -> None:
        mode = self.server.mode_of(self.command, self.path)
        if mode in ("stall", "hold"):
            self._wait(mode)
        if mode == "cut upload":
            self.rfile.read(int(self.headers.get("x-amz-decoded-content-length", 0)) // 2)
        if mode in ("cut upload", "refuse", "stall"):
            self._reset()
            return
        body = self._body()
        if mode.isdigit():
            self._answer(int(mode), {}, f"<Error><Code>{ERRORS[int(mode)]}</Code></Error>".encode())
            return
        connection = http.client.HTTPConnection(self.server.store, timeout=60)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in OWN}
        connection.request(self.command, self.path, body, headers | {"Content-Length": str(len(body))})
        response = connection.getresponse()
        content, headers = response.read(), dict(response.getheaders())
        connection.close()
        self._answer(response.status, headers, content, mode)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = relay

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        chunks = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():  # trailers, and the empty line
            pass
        return b"".join(chunks)

    def _answer(self, status: int, headers: dict[str, str], content: bytes, mode: str = "ok") -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in OWN:
                self.send_header(name, value)
        length = headers.get("Content-Length", "0") if self.command == "HEAD" else len(content)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command == "HEAD":
            return
        if mode == "cut download":
            self.wfile.write(content[: len(content) // 2])
            self._reset()
        elif mode == "trickle":
            self._trickle(content)
        else:
            self.wfile.write(content)

    def _trickle(self, content: bytes) -> None:
        for place in range(len(content)):
            self.wfile.write(content[place : place + 1])
            self._wait("trickle", 1.0)

    def _wait(self, mode: str, seconds: float = 1e9) -> None:
        until = time.monotonic() + seconds
        while self.server.mode == mode and time.monotonic() < until:
            time.sleep(0.05)

    def _reset(self) -> None:
        """Hangs up without a farewell."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def log_message(self, format: str, *arguments: object) -> None:
        """Says nothing."""


def _kind(method: str, path: str) -> str:
    found = REQUEST_LINE.match(path)
    assert found is not None
    query = urlsplit(path).query
    if method == "GET" and not found["key"]:
        return "LIST"
    what = "marker" if found["key"].endswith("/") else "part" if "uploadId" in query or "uploads" in query else "object"
    return f"{method} {what if found['key'] else 'bucket'}"
