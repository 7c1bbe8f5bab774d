"""The run store: every write whole or not at all, the newest whole checkpoint, one writer, one driver."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from pyarrow import fs

from kd_trainable.tuning.ground import require_room, sole_driver
from kd_trainable.tuning.objects import Requests
from kd_trainable.tuning.run_folder import Fenced, RunFolder, weights_name
from kd_trainable.tuning.store import Storage
from kd_trainable.vocabulary import InputError

SECOND_DRIVER = """
import sys, time
from kd_trainable.tuning.ground import sole_driver
from kd_trainable.tuning.store import Storage
with sole_driver(Storage(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


class NoRename(fs.FileSystemHandler):
    """An object store as pyarrow shows one: objects are put whole; nothing is renamed, copied or appended to."""

    def __init__(self) -> None:
        self.inner = fs._MockFileSystem()

    def open_input_file(self, path: str) -> object:
        return self.inner.open_input_file(path)

    def open_output_stream(self, path: str, metadata: object) -> object:
        parent = path.rpartition("/")[0]
        self.inner.create_dir(parent)  # there are no folders in an object store
        return self.inner.open_output_stream(path)

    def get_file_info(self, paths: list[str]) -> object:
        return self.inner.get_file_info(paths)

    def get_file_info_selector(self, selector: fs.FileSelector) -> object:
        return self.inner.get_file_info(selector)

    def delete_file(self, path: str) -> None:
        self.inner.delete_file(path)

    def delete_dir(self, path: str) -> None:
        self.inner.delete_dir(path)

    def normalize_path(self, path: str) -> str:
        return path

    def get_type_name(self) -> str:
        return "objects"

    def _refuse(self, *arguments: object) -> object:
        raise NotImplementedError("object stores cannot do this")

    move = copy_file = open_append_stream = open_input_stream = _refuse
    create_dir = delete_dir_contents = delete_root_dir_contents = _refuse


def objects() -> Storage:
    """A storage that is not local."""
    storage = Storage("mock:///results")
    storage.requests, storage.root = Requests(fs.PyFileSystem(NoRename()), "mock:///results"), "bucket/results"
    return storage


@pytest.fixture(params=["folder", "file URI", "objects"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "objects":
        return objects()
    return Storage(str(tmp_path) if request.param == "folder" else tmp_path.as_uri())


class TestStorage:
    def test_what_is_written_is_read(self, storage: Storage) -> None:
        storage.write("a/b/one", b"1")
        storage.write("a/b/one", b"2")
        storage.write_json("a/b/two", {"x": [1, None]})
        assert storage.read("a/b/one") == b"2"
        assert storage.read_json("a/b/two") == {"x": [1, None]}
        assert storage.names("a/b") == ["one", "two"]

    def test_what_is_not_there(self, storage: Storage) -> None:
        assert storage.read("a/one") is None
        assert storage.read_json("a/one") is None
        assert storage.names("a") == []
        storage.delete("a/one")
        storage.delete_folder("a")

    def test_deleting(self, storage: Storage) -> None:
        for name in ("a/one", "a/two", "b/three"):
            storage.write(name, b"1")
        storage.delete("a/one")
        assert storage.names("a") == ["two"]
        storage.delete_folder("a")
        assert (storage.read("a/two"), storage.read("b/three")) == (None, b"1")

    def test_json_that_was_cut_short_is_as_if_not_there(self, storage: Storage) -> None:
        storage.write("a/one", b'{"x": 1')
        assert storage.read_json("a/one") is None

    def test_a_write_that_fails_leaves_what_was_there_and_no_temporary_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        storage = Storage(str(tmp_path))
        storage.write("a/one", b"1")

        def full(descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            storage.write("a/one", b"2")
        assert storage.read("a/one") == b"1"
        assert [path.name for path in (tmp_path / "a").iterdir()] == ["one"]

    def test_temporary_files_of_a_killed_writer_are_no_names(self, tmp_path: Path) -> None:
        (tmp_path / ".one.abc.tmp").write_bytes(b"1")
        assert Storage(str(tmp_path)).names("") == []

    @pytest.mark.parametrize("uri", ["nosuch://bucket/x", "file://relative", "s3://"])
    def test_a_uri_that_leads_nowhere(self, uri: str) -> None:
        with pytest.raises(InputError, match=r"^storage: ") as refusal:
            Storage(uri).names("teachers")
        assert "\n" not in str(refusal.value)


class TestRunFolder:
    def test_attempts_are_counted(self, storage: Storage) -> None:
        assert RunFolder(storage, "r").attempts() == 0
        assert [RunFolder(storage, "r").claim() for _ in range(3)] == [1, 2, 3]
        assert RunFolder(storage, "r").attempts() == 3

    def test_a_writer_whose_run_was_taken_over_writes_nothing_more(self, storage: Storage) -> None:
        first, second = RunFolder(storage, "r"), RunFolder(storage, "r")
        first.claim()
        first.save_checkpoint(1, b"first")
        second.claim()
        for write in (lambda: first.save_checkpoint(2, b"late"), lambda: first.finish({"status": "finished"}, b"w")):
            with pytest.raises(Fenced):
                write()
        second.save_checkpoint(2, b"second")
        assert list(second.checkpoints()) == [b"second", b"first"]
        assert second.result() is None

    def test_a_folder_without_a_lease_of_ones_own(self, storage: Storage) -> None:
        with pytest.raises(Fenced):
            RunFolder(storage, "r").write("spec.json", b"{}")

    def test_the_newest_two_checkpoints_are_kept(self, storage: Storage) -> None:
        folder = RunFolder(storage, "r")
        folder.claim()
        for epoch in (8, 9, 10, 11):
            folder.save_checkpoint(epoch, b"%d" % epoch)
        assert list(folder.checkpoints()) == [b"11", b"10"]

    @pytest.mark.parametrize("damage", [lambda c: c[:-1], lambda c: b"", lambda c: b"x" + c[1:]])
    def test_a_newest_checkpoint_that_is_cut_short_or_changed_gives_way_to_the_one_before(
        self, storage: Storage, damage: object
    ) -> None:
        folder = RunFolder(storage, "r")
        folder.claim()
        folder.save_checkpoint(1, b"the first one")
        folder.save_checkpoint(2, b"the second one")
        newest = storage.names("runs/r")[1]
        assert "000002" in newest
        storage.write(f"runs/r/{newest}", damage(b"the second one"))  # type: ignore[operator]
        assert list(folder.checkpoints()) == [b"the first one"]

    def test_a_finished_run_keeps_its_weights_and_drops_its_checkpoints(self, storage: Storage) -> None:
        folder = RunFolder(storage, "r")
        folder.claim()
        folder.save_checkpoint(1, b"1")
        folder.finish({"status": "finished", "test_accuracy_last": float("nan")}, b"weights")
        assert storage.names("runs/r") == ["lease.json", "result.json", weights_name(sha256(b"weights").hexdigest())]
        found = folder.result()
        assert found is not None
        assert found["status"] == "finished"

    def test_a_stopped_run_keeps_its_checkpoints(self, storage: Storage) -> None:
        folder = RunFolder(storage, "r")
        folder.claim()
        folder.save_checkpoint(1, b"1")
        folder.finish({"status": "stopped"}, None)
        assert list(folder.checkpoints()) == [b"1"]

    def test_a_result_cut_short_is_none(self, storage: Storage) -> None:
        storage.write("runs/r/result.json", b'{"status": "fini')
        assert RunFolder(storage, "r").result() is None

    def test_forgetting(self, storage: Storage) -> None:
        folder = RunFolder(storage, "r")
        folder.claim()
        folder.forget()
        assert (storage.names("runs/r"), folder.attempts()) == ([], 0)


class TestRoom:
    def test_looking_leaves_nothing_behind(self, storage: Storage, tmp_path: Path) -> None:
        require_room(storage)
        assert storage.names("") == []
        assert list(tmp_path.iterdir()) == []

    def test_a_folder_that_is_not_there_yet_is_not_made(self, tmp_path: Path) -> None:
        require_room(Storage(str(tmp_path / "a" / "b")))
        assert not (tmp_path / "a").exists()

    def test_objects_that_may_not_be_written(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def denied(self: NoRename, path: str, metadata: object) -> object:
            raise PermissionError("Access Denied\nfor this bucket")

        monkeypatch.setattr(NoRename, "open_output_stream", denied)
        with pytest.raises(InputError, match=r"^storage: mock:///results cannot be written to: .*Access Denied for"):
            require_room(objects())


class TestSoleDriver:
    def test_a_second_driver_is_refused_until_the_first_has_ended_however_it_ends(self, tmp_path: Path) -> None:
        storage = Storage(str(tmp_path))
        first = subprocess.Popen([sys.executable, "-c", SECOND_DRIVER, str(tmp_path)], stdout=subprocess.PIPE)
        assert first.stdout is not None
        try:
            assert first.stdout.readline() == b"held\n"
            with pytest.raises(InputError, match=r"storage: .* is in use by another sweep"), sole_driver(storage):
                pass
        finally:
            first.send_signal(signal.SIGKILL)
            first.wait()
            first.stdout.close()
        with sole_driver(storage):
            pass

    def test_it_is_free_after_the_block(self, tmp_path: Path) -> None:
        for _ in range(2):
            with sole_driver(Storage(str(tmp_path))):
                pass
