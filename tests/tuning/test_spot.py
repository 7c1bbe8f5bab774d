"""A spot node's watcher hears the notice of its cloud, and nothing else, whatever the metadata service does."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from http.server import ThreadingHTTPServer

import pytest
from metadata_service import AWS_LEAVES_S, service

from kd_trainable.tuning import spot

EVERY_S = 0.01


@pytest.fixture
def noticed() -> threading.Event:
    return threading.Event()


@pytest.fixture(params=["aws", "google"])
def cloud(request: pytest.FixtureRequest, noticed: threading.Event) -> Iterator[ThreadingHTTPServer]:
    server = service(request.param, noticed.is_set)
    yield server
    server.shutdown()
    server.server_close()


def url(server: ThreadingHTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}"


class Watch(threading.Thread):
    """``wait_for_notice`` in a thread: what it said, and the deadline it came back with."""

    def __init__(self, metadata: str) -> None:
        super().__init__(daemon=True)
        self.metadata, self.said, self.deadline = metadata, list[str](), 0.0
        self.start()

    def run(self) -> None:
        self.deadline = spot.wait_for_notice(self.metadata, EVERY_S, self.said.append)

    def ended(self) -> float:
        self.join(30)
        assert not self.is_alive(), self.said
        return self.deadline

    def goes_on(self, said: int) -> list[str]:
        """What it has said once it has said so much; it must not have ended."""
        until = time.monotonic() + 30
        while len(self.said) < said and time.monotonic() < until:
            time.sleep(0.01)
        assert self.is_alive()
        assert len(self.said) == said, self.said
        return self.said


def asked(server: ThreadingHTTPServer, times: int) -> None:
    """Returns when the service has been asked so often."""
    until = time.monotonic() + 30
    while len(server.asked) < times and time.monotonic() < until:  # type: ignore[attr-defined]
        time.sleep(0.01)
    assert len(server.asked) >= times  # type: ignore[attr-defined]


def test_the_notice_ends_the_wait(cloud: ThreadingHTTPServer, noticed: threading.Event) -> None:
    watch = Watch(url(cloud))
    asked(cloud, 10)
    name = "AWS" if len(set(cloud.asked)) == 2 else "Google Cloud"  # type: ignore[attr-defined]
    assert watch.goes_on(1) == [f"watches for a notice of {name} at {url(cloud)}"]
    noticed.set()
    left = watch.ended() - time.time()
    leaves = AWS_LEAVES_S if name == "AWS" else spot.GOOGLE_LEAVES_S
    assert leaves - 5 < left <= leaves


def test_a_rebalance_recommendation_is_no_notice(noticed: threading.Event) -> None:
    server = service("aws", noticed.is_set)
    watch = Watch(url(server))
    asked(server, 5)
    assert not any("rebalance" in path for path in server.asked)  # type: ignore[attr-defined]
    watch.goes_on(1)
    noticed.set()
    watch.ended()


def test_a_new_token_where_the_old_one_has_expired(noticed: threading.Event) -> None:
    server = service("aws", noticed.is_set)
    watch = Watch(url(server))
    asked(server, 5)
    server.token = "another"  # type: ignore[attr-defined]
    asked(server, 15)
    noticed.set()
    watch.ended()
    assert len(watch.said) == 1


def test_a_service_that_is_silent_or_gone_is_asked_again(
    noticed: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spot, "ANSWER_S", 0.2)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # metadata is of this machine: no proxy is asked
    silent = socket.create_server(("127.0.0.1", 0))  # takes the call, and says nothing
    port = silent.getsockname()[1]
    watch = Watch(f"http://127.0.0.1:{port}")
    assert "does not answer: TimeoutError: timed out" in watch.goes_on(1)[0]
    silent.close()
    server = service("aws", noticed.is_set, port=port)
    asked(server, 5)
    assert [line.partition(" at ")[0] for line in watch.said[-2:]] == [
        "watches for a notice of AWS",
        "the metadata service answers again",
    ]
    noticed.set()
    watch.ended()


def test_no_ray_on_the_machine_is_said_once_and_is_status_1(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(address: str, deadline: float) -> list[str]:
        raise ConnectionError("Could not find any running Ray instance.\nPlease specify")

    monkeypatch.setattr(spot, "_drain", nothing)
    said: list[str] = []
    assert spot.drain("auto", time.time() + 0.1, EVERY_S, said.append) == 1
    notice, cannot = said
    assert notice.startswith("notice: this machine will be taken in ")
    assert "\n" not in cannot
    assert cannot.startswith("cannot drain: ConnectionError: Could not find any running Ray instance.")


def test_a_node_that_joins_late_is_drained_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [[], [], ["ab12"]]
    monkeypatch.setattr(spot, "_drain", lambda address, deadline: answers.pop(0))
    said: list[str] = []
    assert spot.drain("auto", time.time() + 30, EVERY_S, said.append) == 0
    assert said[-1] == "node ab12 is draining"
