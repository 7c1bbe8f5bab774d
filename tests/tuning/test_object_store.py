"""A results folder on an object store (moto over HTTP, behind a proxy that does harm): whole objects, and patience."""

from __future__ import annotations

import pickle
import signal
import threading
import time
from collections.abc import Iterator
from hashlib import sha256

import pytest
from faults.object_store import Proxy, faulty, fresh_bucket, object_store

from kd_trainable.tuning import objects
from kd_trainable.tuning.ground import require_room
from kd_trainable.tuning.run_folder import RunFolder, weights_name
from kd_trainable.tuning.store import Storage
from kd_trainable.vocabulary import InputError

MIB = 2**20


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The URI of a bucket on a server that all tests of this file share."""
    with object_store() as uri:
        yield uri


@pytest.fixture
def proxy(server: str) -> Iterator[Proxy]:
    """A proxy before a fresh bucket."""
    endpoint = server.partition("endpoint_override=")[2].partition("&")[0]
    with faulty(fresh_bucket(endpoint)) as proxy:
        yield proxy


@pytest.fixture
def storage(proxy: Proxy) -> Storage:
    """A storage that has answered before."""
    found = Storage(proxy.uri)
    assert found.names("") == []
    proxy.asked.clear()
    return found


@pytest.fixture
def short_of_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KD_STORAGE_PATIENCE_S", "2")


class TestObjects:
    def test_what_is_written_is_read(self, storage: Storage) -> None:
        storage.write("a/one", b"1")
        storage.write_json("a/two", {"x": [1, None]})
        storage.write("a/none", b"")
        assert (storage.read("a/one"), storage.read_json("a/two"), storage.read("a/none")) == (
            b"1",
            {"x": [1, None]},
            b"",
        )
        assert (storage.names("a"), storage.read("b"), storage.read("a")) == (["none", "one", "two"], None, None)

    def test_one_put_an_object(self, storage: Storage, proxy: Proxy) -> None:
        storage.write("a/one", b"1" * MIB)
        assert proxy.counts() == {"PUT object": 1}

    def test_what_was_deleted_leaves_no_name_behind(self, storage: Storage) -> None:
        for name in ("a/b/one", "a/b/two", "c"):
            storage.write(name, b"1")
        storage.delete("a/b/one")
        assert storage.names("a/b") == ["two"]
        storage.delete("a/b/two")
        assert storage.names("a/b") == []
        storage.delete_folder("a")
        assert storage.names("") == ["c"]
        storage.delete("a/b/one")
        storage.delete_folder("a")

    def test_looking_for_room_leaves_nothing(self, storage: Storage) -> None:
        require_room(storage)
        assert storage.names("") == []

    def test_a_run(self, storage: Storage) -> None:
        folder = RunFolder(storage, "r")
        folder.claim()
        for epoch in range(1, 5):
            folder.save_checkpoint(epoch, b"%d" % epoch)
        assert list(folder.checkpoints()) == [b"4", b"3"]
        folder.finish({"status": "finished"}, b"weights")
        assert storage.names("runs/r") == ["lease.json", "result.json", weights_name(sha256(b"weights").hexdigest())]

    def test_a_copy_in_another_process_asks_once_and_not_31_times(self, storage: Storage, proxy: Proxy) -> None:
        copy: Storage = pickle.loads(pickle.dumps(storage))
        proxy.mode = "403"
        with pytest.raises(InputError):
            copy.read("a")
        assert len(proxy.asked) == 1


class TestHalfAnObject:
    """Of an upload that breaks nothing is ever seen but what was there before."""

    def test_an_upload_that_is_cut(self, storage: Storage, proxy: Proxy, short_of_patience: None) -> None:
        proxy.mode, proxy.only = "cut upload", "^PUT"
        for size in (MIB, 25 * MIB):  # in one put, and in parts
            with pytest.raises(OSError, match="NETWORK_CONNECTION"):
                storage.write(f"{size}", b"1" * size)
        assert proxy.faults >= 2
        proxy.mode = "ok"
        assert storage.names("") == []

    def test_ctrl_c_in_the_middle(self, storage: Storage, proxy: Proxy) -> None:
        storage.write("a", b"before")
        proxy.mode, proxy.only = "hold", "^PUT"

        def interrupt(*arguments: object) -> None:
            raise KeyboardInterrupt

        before = signal.signal(signal.SIGALRM, interrupt)
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        try:
            with pytest.raises(KeyboardInterrupt):
                storage.write("a", b"after" * MIB)
        finally:
            signal.signal(signal.SIGALRM, before)
        assert storage.read("a") == b"before"
        proxy.mode = "ok"
        storage.delete("b")
        storage.write("a", b"last")  # waits for the interrupted one, which may not undo it
        assert storage.read("a") == b"last"

    def test_a_download_that_is_cut_is_read_again(self, storage: Storage, proxy: Proxy) -> None:
        storage.write("a", b"123" * MIB)
        proxy.mode, proxy.only, proxy.times = "cut download", "^GET", 2
        assert storage.read("a") == b"123" * MIB
        assert proxy.faults == 2


class TestPatience:
    @pytest.mark.parametrize("mode", ["500", "503", "refuse"])
    def test_errors_that_pass(self, storage: Storage, proxy: Proxy, mode: str) -> None:
        proxy.mode, proxy.times = mode, 3
        storage.write("a", b"1")
        proxy.times = 3
        assert storage.read("a") == b"1"
        proxy.times = 3
        assert storage.names("") == ["a"]
        proxy.times = 3
        storage.delete("a")
        assert (proxy.faults, storage.names("")) == (12, [])

    def test_it_ends(self, storage: Storage, proxy: Proxy, short_of_patience: None) -> None:
        proxy.mode = "503"
        began = time.monotonic()
        with pytest.raises(InputError, match=r"^storage: s3://.* cannot be read: .*503") as refusal:
            storage.read("a")
        assert 0.5 < time.monotonic() - began < 10
        assert 3 <= proxy.faults <= 12  # ever longer pauses
        assert "\n" not in str(refusal.value)

    def test_it_is_told_once(
        self, storage: Storage, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(objects, "TOLD_AFTER_S", 0.1)
        monkeypatch.setattr(objects, "PAUSES_S", (0.1, 0.1))
        copy: Storage = pickle.loads(pickle.dumps(storage))  # as workers have one
        proxy.mode, proxy.times = "503", 6
        assert storage.read("a") is None
        proxy.times = 6
        assert storage.read("a") is None
        proxy.times = 6
        assert copy.read("a") is None
        said = capsys.readouterr().err
        assert said.startswith(f"storage: {proxy.uri} errs or does not answer; trying again for up to 5 min 00 s: ")
        assert said.count("\n") == 1

    @pytest.mark.parametrize(
        ("mode", "limit"), [("stall", "SILENT_S"), ("hold", "REQUEST_S"), ("trickle", "REQUEST_S")]
    )
    def test_a_store_that_stalls(self, proxy: Proxy, mode: str, limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(objects, limit, 1.0)
        storage = Storage(proxy.uri)
        storage.write("a", b"1" * 100)
        proxy.mode, proxy.only, proxy.times = mode, "^GET", 1
        began = time.monotonic()
        assert storage.read("a") == b"1" * 100
        assert (proxy.faults, time.monotonic() - began < 8) == (1, True)

    def test_a_put_that_was_given_up_does_not_undo_a_later_one(
        self, storage: Storage, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(objects, "REQUEST_S", 0.5)
        proxy.mode, proxy.only, proxy.times = "hold", "^PUT", 1
        storage.write("a", b"first")
        assert proxy.faults == 1
        release = threading.Timer(1.0, lambda: setattr(proxy, "mode", "ok"))
        release.start()
        storage.write("a", b"second")
        assert proxy.mode == "ok"
        assert storage.read("a") == b"second"
        release.join()

    @pytest.mark.parametrize("mode", ["403"])
    def test_what_will_not_pass_is_said_at_once(self, storage: Storage, proxy: Proxy, mode: str) -> None:
        proxy.mode = mode
        began = time.monotonic()
        with pytest.raises(InputError, match=r"cannot be read: .*ACCESS_DENIED"):
            storage.read("a")
        with pytest.raises(InputError, match=r"cannot be written to: .*ACCESS_DENIED"):
            require_room(storage)
        assert (len(proxy.asked), time.monotonic() - began < 2) == (2, True)


class TestNoSuchStore:
    """One line, quickly, without secrets."""

    def test_no_such_bucket(self, proxy: Proxy) -> None:
        storage = Storage(proxy.uri.replace("s3://bucket", "s3://other"))
        began = time.monotonic()
        with pytest.raises(InputError, match=r"cannot be written to: .*NO_SUCH_BUCKET"):
            require_room(storage)
        assert time.monotonic() - began < 2

    def test_nobody_answers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(objects, "FIRST_S", 1.0)
        uri = "s3://KEY:SECRET@bucket/x?endpoint_override=127.0.0.1:1&scheme=http&region=us-east-1"
        with pytest.raises(InputError, match=r"^storage: s3://bucket/x\S* cannot be read: ") as refusal:
            Storage(uri).names("runs")
        assert "\n" not in str(refusal.value)
        assert "SECRET" not in str(refusal.value)

    @pytest.mark.parametrize(
        ("uri", "why"),
        [
            ("s3://", "names no bucket; must be s3://BUCKET/FOLDER"),
            ("gs://", "names no bucket"),
            ("s4://KEY:SECRET@bucket/x", r"no such scheme, s4 \(did you mean 's3'\?\); must be a folder, s3://BUCKET"),
            ("s3://KEY:SEC/RET@bucket/x?region=us-east-1", "'s3://bucket/x"),
            ("s3://KEY:SECRET@bucket/x?bogus=1", "bogus"),
            ("file://relative/x", "cannot be used"),
        ],
    )
    def test_a_uri_that_leads_nowhere(self, uri: str, why: str) -> None:
        with pytest.raises(InputError, match=rf"^storage: .*{why}") as refusal:
            Storage(uri)
        said = str(refusal.value)
        assert ("\n" in said, "KEY" in said, "SEC" in said, "RET" in said) == (False, False, False, False)
