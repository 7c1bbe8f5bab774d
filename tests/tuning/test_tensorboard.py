"""Event files, read back by TensorBoard's own reader."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.metadata import SESSION_START_INFO_TAG, parse_session_start_info_plugin_data
from test_store import objects

from kd_trainable.spec import RunSpec
from kd_trainable.tuning.loggers.tensorboard import TensorBoard
from kd_trainable.tuning.store import Storage

SPEC = RunSpec(dataset="digits", student="digits_mlp", teacher="digits_cnn", temperature=4, alpha=0.9).flat()
FOLDER = "sweeps/s/tensorboard"
FINISHED = {"status": "finished"}
Opener = Callable[[Storage], TensorBoard]


def rows(first: int, last: int) -> list[dict[str, Any]]:
    return [{"epoch": epoch, "test_accuracy": epoch / 10, "lr": 0.1} for epoch in range(first, last + 1)]


def read(folder: Path) -> EventAccumulator:
    """Every event that lies in a run's folder, none taken for outdated."""
    found = EventAccumulator(str(folder), purge_orphaned_data=False)
    found.Reload()
    return found


def steps(folder: Path) -> list[int]:
    return [event.step for event in read(folder).Scalars("accuracy/test")]


@pytest.fixture
def opened() -> Iterator[Opener]:
    """Makes a logger, as a driver does; all are closed at the end."""
    with contextlib.ExitStack() as ending:
        yield lambda storage: ending.enter_context(contextlib.closing(TensorBoard(storage, "s")))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The run's folder on a local storage."""
    return tmp_path / FOLDER / "kd-digits_mlp-kl-T4-a0.9-seed0-abc"


def test_live_while_a_run_goes_on(tmp_path: Path, folder: Path, opened: Opener) -> None:
    logger = opened(Storage(str(tmp_path)))
    logger.begin("abc", SPEC)
    logger.epochs("abc", rows(1, 2))
    assert steps(folder) == [1, 2]
    logger.epochs("abc", rows(3, 3))
    logger.end("abc", FINISHED)
    found = read(folder)
    assert [round(event.value, 6) for event in found.Scalars("accuracy/test")] == [0.1, 0.2, 0.3]
    assert set(found.Tags()["scalars"]) == {"accuracy/test", "lr"}


def test_the_parameters_can_be_compared(tmp_path: Path, folder: Path, opened: Opener) -> None:
    logger = opened(Storage(str(tmp_path)))
    logger.begin("abc", SPEC)
    logger.epochs("abc", rows(1, 1))
    metadata = read(folder).SummaryMetadata(SESSION_START_INFO_TAG)
    said = parse_session_start_info_plugin_data(metadata.plugin_data.content).hparams
    assert (said["temperature"].number_value, said["alpha"].number_value) == (4.0, 0.9)
    assert said["mode"].string_value == "kl"


def test_a_run_that_begins_again_shows_its_epochs_once(tmp_path: Path, folder: Path, opened: Opener) -> None:
    killed = opened(Storage(str(tmp_path)))
    killed.begin("abc", SPEC)
    killed.epochs("abc", rows(1, 4))
    killed.close()
    again = opened(Storage(str(tmp_path)))
    assert not again.has("abc", "finished")
    again.begin("abc", SPEC)
    again.epochs("abc", rows(1, 5))
    again.end("abc", FINISHED)
    assert steps(folder) == [1, 2, 3, 4, 5]
    assert len(list(folder.iterdir())) == 1


def test_what_has_ended_so_is_there(tmp_path: Path, opened: Opener) -> None:
    logger = opened(Storage(str(tmp_path)))
    logger.begin("abc", SPEC)
    logger.end("abc", {"status": "unfinished"})
    later = opened(Storage(str(tmp_path)))
    assert later.has("abc", "unfinished")
    assert not later.has("abc", "finished")
    assert not later.has("def", "unfinished")


def test_elsewhere_a_file_is_put_whole_when_its_run_ends(tmp_path: Path, opened: Opener) -> None:
    storage = objects()
    logger = opened(storage)
    logger.begin("abc", SPEC)
    logger.epochs("abc", rows(1, 2))
    assert storage.names(FOLDER) == []
    logger.end("abc", FINISHED)
    run, ended = sorted(storage.names(FOLDER), reverse=True)
    assert ended == "ended.json"
    (file,) = storage.names(f"{FOLDER}/{run}")
    (tmp_path / file).write_bytes(storage.read(f"{FOLDER}/{run}/{file}") or b"")
    assert steps(tmp_path) == [1, 2]


def test_a_full_disk_is_an_error_and_not_a_wait(
    tmp_path: Path, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = opened(Storage(str(tmp_path)))
    logger.begin("abc", SPEC)

    def full(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(logger.files["abc"].records, "write", full)
    with pytest.raises(OSError, match="No space left"):
        logger.epochs("abc", rows(1, 100))
