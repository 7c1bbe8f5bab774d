"""A cloud's metadata service, as a spot machine sees it, until and after it is told that it will be taken.

AWS: EC2 user guide, "Use IMDSv2" and "Spot Instance interruption notices". Google Cloud: Compute Engine, "VM metadata"
and "Spot VMs". ``python metadata_service.py aws ADDRESS PORT FILE`` gives the notice once FILE is there.
"""

from __future__ import annotations

import datetime
import json
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

TOKEN = "AQAEAHyJ3l0"
AWS_LEAVES_S = 120.0


def service(cloud: str, noticed: Callable[[], bool], address: str = "127.0.0.1", port: int = 0) -> ThreadingHTTPServer:
    """A server of 'aws' or 'google'. ``asked``: the paths that it was asked for; ``token``: the one it takes (AWS)."""

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            seconds = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds", "0")
            right = cloud == "aws" and self.path == "/latest/api/token" and 1 <= int(seconds) <= 21600
            self._answer(200 if right else 405, server.token if right else "")  # type: ignore[attr-defined]

        def do_GET(self) -> None:
            server.asked.append(self.path)  # type: ignore[attr-defined]
            self._answer(*(_aws if cloud == "aws" else _google)(self))

        def _answer(self, status: int, body: str) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if cloud == "google":
                self.send_header("Metadata-Flavor", "Google")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *said: object) -> None:
            pass

    def _aws(request: BaseHTTPRequestHandler) -> tuple[int, str]:
        if request.headers.get("X-aws-ec2-metadata-token") != server.token:  # type: ignore[attr-defined]
            return 401, ""
        if request.path == "/latest/meta-data/events/recommendations/rebalance":  # comes early, and is no notice
            return 200, json.dumps({"noticeTime": _in(0)})
        if request.path == "/latest/meta-data/spot/instance-action" and noticed():
            return 200, json.dumps({"action": "terminate", "time": _in(AWS_LEAVES_S)})
        return 404, ""

    def _google(request: BaseHTTPRequestHandler) -> tuple[int, str]:
        if request.headers.get("Metadata-Flavor") != "Google":
            return 403, ""
        if request.path == "/computeMetadata/v1/instance/preempted":
            return 200, "TRUE" if noticed() else "FALSE"
        return 404, ""

    server = ThreadingHTTPServer((address, port), Handler)
    server.asked, server.token = [], TOKEN  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def _in(seconds: float) -> str:
    return f"{datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"


if __name__ == "__main__":
    file = Path(sys.argv[4])
    service(sys.argv[1], file.exists, sys.argv[2], int(sys.argv[3]))
    print("listens", flush=True)
    threading.Event().wait()
