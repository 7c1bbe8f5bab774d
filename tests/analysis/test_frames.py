"""A sweep's folder read back with its types, and one clear line for each thing that can be wrong with it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from hand_made import epochs_frame, run, runs_frame
from pyarrow import fs

from analysis import frames
from kd_trainable.records import EPOCH_COLUMNS, RUN_COLUMNS
from kd_trainable.vocabulary import InputError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    failed = run(status="failed", error="loss is NaN at epoch 2", temperature=None)
    runs_frame([run(0.8), failed]).to_parquet(tmp_path / "runs.parquet")
    epochs_frame([{"spec_id": "a", "epoch": 1, "test_accuracy": 0.5}]).to_parquet(tmp_path / "epochs.parquet")
    return tmp_path


def test_runs_and_epochs_come_back_typed_and_in_order(folder: Path) -> None:
    for frame, columns in ((frames.runs(folder), RUN_COLUMNS), (frames.epochs(folder), EPOCH_COLUMNS)):
        assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == {c.name: c.dtype for c in columns}
        assert list(frame) == [column.name for column in columns]
    failed = frames.runs(folder).iloc[1]
    assert (failed["error"], failed["temperature"]) == ("loss is NaN at epoch 2", pd.NA)


def test_a_uri_reads_as_the_path_does(folder: Path) -> None:
    pd.testing.assert_frame_equal(frames.runs(f"{folder.as_uri()}/"), frames.runs(str(folder)))


def test_untyped_columns_are_typed_and_nan_is_missing() -> None:
    loose = runs_frame([run(0.8), run(0.9)]).astype(object).where(lambda frame: frame.notna(), None)
    loose["validation_accuracy_last"] = [float("nan"), 1]
    frame = frames.typed(loose.assign(more="dropped"), RUN_COLUMNS)
    assert frame["validation_accuracy_last"].tolist() == [pd.NA, 1.0]
    assert (str(frame["error"].dtype), str(frame["seed"].dtype)) == ("string", "Int64")
    assert "more" not in frame


def test_the_sweeps_of_a_results_folder_are_those_that_were_written(folder: Path, tmp_path: Path) -> None:
    assert frames.sweeps(f"{folder}/") == [str(folder)]
    results = tmp_path / "results"
    for name in ("second", "first"):
        (results / "sweeps" / name).mkdir(parents=True)
        runs_frame([run(0.8)]).to_parquet(results / "sweeps" / name / "runs.parquet")
    (results / "sweeps" / "begun").mkdir()
    assert frames.sweeps(results) == [f"{results}/sweeps/first", f"{results}/sweeps/second"]
    assert frames.sweeps(results.as_uri()) == [f"{results.as_uri()}/sweeps/{name}" for name in ("first", "second")]


@pytest.mark.parametrize(("name", "said"), [("nowhere", "nowhere: no such folder"), ("empty", "empty: no results")])
def test_a_folder_without_results(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "empty" / "sweeps" / "begun").mkdir(parents=True)
    with pytest.raises(InputError, match=said):
        frames.sweeps(tmp_path / name)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere/runs\.parquet: no such folder"):
        frames.runs(tmp_path / "nowhere")


def test_no_runs(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"runs\.parquet: no such file"):
        frames.runs(tmp_path)


def test_a_uri_of_an_unknown_kind() -> None:
    with pytest.raises(InputError, match="carrier-pigeon://loft: cannot be opened"):
        frames.runs("carrier-pigeon://loft")


def test_missing_columns_are_named(folder: Path) -> None:
    runs_frame([run(0.8)]).drop(columns=["seed", "protocol"]).to_parquet(folder / "runs.parquet")
    with pytest.raises(InputError, match=r"runs\.parquet: missing columns: protocol, seed: another version"):
        frames.runs(folder)


@pytest.mark.parametrize("keep", [0, 10, 2000])
def test_a_half_written_file(folder: Path, keep: int) -> None:
    whole = (folder / "runs.parquet").read_bytes()
    (folder / "runs.parquet").write_bytes(whole[:keep])
    with pytest.raises(InputError, match=r"runs\.parquet: cannot be read") as caught:
        frames.runs(folder)
    assert "\n" not in str(caught.value)


def test_a_column_of_the_wrong_type_is_named(folder: Path) -> None:
    runs_frame([run(0.8)]).astype({"epochs": "string"}).assign(epochs="many").to_parquet(folder / "runs.parquet")
    with pytest.raises(InputError, match="column epochs is not Int64"):
        frames.runs(folder)


def test_a_local_write_that_fails_leaves_the_old_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames.write(folder, "table.md", b"old")

    def half(files: fs.FileSystem, path: str, content: bytes) -> None:
        Path(path).write_bytes(content[:1])
        raise OSError("disk full")

    monkeypatch.setattr(frames, "_put", half)
    with pytest.raises(OSError, match="disk full"):
        frames.write(folder, "table.md", b"new")
    assert (folder / "table.md").read_bytes() == b"old"
    assert sorted(path.name for path in folder.iterdir()) == ["epochs.parquet", "runs.parquet", "table.md"]


def test_an_object_store_gets_one_put_and_no_rename(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Store:  # has neither move nor anything else that S3 lacks
        written: dict[str, bytes]

    def put(files: Store, path: str, content: bytes) -> None:
        files.written = {path: content}

    store = Store()
    monkeypatch.setattr(frames, "located", lambda folder: (store, "bucket/sweep"))
    monkeypatch.setattr(frames, "_put", put)
    frames.write("s3://bucket/sweep", "table.md", b"text")
    assert store.written == {"bucket/sweep/table.md": b"text"}
