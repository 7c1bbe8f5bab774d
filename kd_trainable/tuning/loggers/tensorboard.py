"""RESULTS/sweeps/NAME/tensorboard: event files, a folder a run. ``tensorboard --logdir`` that folder."""

from __future__ import annotations

import contextlib
import platform
import time
from collections.abc import Sequence
from typing import Any

from kd_trainable.tuning.loggers import Row
from kd_trainable.tuning.loggers.words import label, parameters, scalars
from kd_trainable.tuning.store import Storage
from kd_trainable.tuning.temporary import small_folder

ENDED = "ended.json"  # run -> status: which folders are whole


class TensorBoard:
    """Live on a local folder; elsewhere a run's file is put whole when it ends, since object stores cannot append.

    A run that begins again gets a new file in place of the old one, and all of its epochs.
    """

    def __init__(self, storage: Storage, sweep: str) -> None:
        self.storage, self.folder = storage, f"sweeps/{sweep}/tensorboard"
        found = storage.read_json(f"{self.folder}/{ENDED}")
        self.ended: dict[str, str] = found if isinstance(found, dict) else {}
        self.there = storage.names(self.folder)
        self.files: dict[str, EventFile] = {}

    def has(self, run: str, status: str) -> bool:
        return self.ended.get(run) == status and bool(self._of(run))

    def begin(self, run: str, spec: Row) -> None:
        from tensorboardX.summary import hparams

        for name in self._of(run):
            self.storage.delete_folder(f"{self.folder}/{name}")
            self.there.remove(name)
        self.there.append(f"{label(spec)}-{run}")
        self.files[run] = file = EventFile(self.storage, f"{self.folder}/{self.there[-1]}")
        # TensorBoard makes out by itself which parameters and metrics there are, when no run says so
        _, start, file.last = hparams(parameters(spec), {})
        file.write(summary=start)

    def epochs(self, run: str, rows: Sequence[Row]) -> None:
        from tensorboardX.proto.summary_pb2 import Summary

        for row in rows:
            values = [Summary.Value(tag=tag, simple_value=value) for tag, value in scalars(row).items()]
            self.files[run].write(summary=Summary(value=values), step=row["epoch"])
        self.files[run].flush()

    def end(self, run: str, result: Row) -> None:
        file = self.files.pop(run)
        if result["status"] in ("finished", "stopped"):
            file.write(summary=file.last)
        file.keep()
        self.ended[run] = result["status"]
        self.storage.write_json(f"{self.folder}/{ENDED}", self.ended)

    def close(self) -> None:
        while self.files:
            self.files.popitem()[1].drop()

    def _of(self, run: str) -> list[str]:
        return [name for name in self.there if name.endswith(run)]


class EventFile:
    """One run's event file. ``last``: what is written when the run has ended well.

    Written where it is called: tensorboardX's SummaryWriter writes in a thread of its own, which a full disk ends
    without a word, and then whoever logs waits for ever.
    """

    def __init__(self, storage: Storage, folder: str) -> None:
        from tensorboardX.record_writer import RecordWriter

        self.storage, self.folder, self.last = storage, folder, None
        self.aside = contextlib.ExitStack()  # the folder of a copy, for a storage that takes whole objects alone
        place = storage.inside(f"{folder}/-").parent if storage.local else self.aside.enter_context(small_folder())
        place.mkdir(parents=True, exist_ok=True)
        self.path = place / f"events.out.tfevents.{int(time.time())}.{platform.node()}"  # the form TensorBoard expects
        self.records = RecordWriter(str(self.path))
        self.write(file_version="brain.Event:2")

    def write(self, **what: Any) -> None:
        from tensorboardX.proto.event_pb2 import Event

        self.records.write(Event(wall_time=time.time(), **what).SerializeToString())

    def flush(self) -> None:
        self.records.flush()

    def keep(self) -> None:
        """Closes the file, which is whole."""
        self.records.close()
        if not self.storage.local:
            self.storage.write(f"{self.folder}/{self.path.name}", self.path.read_bytes())
        self.drop()

    def drop(self) -> None:
        """Closes the file as it is."""
        with contextlib.suppress(OSError):
            self.records.close()
        self.aside.close()
