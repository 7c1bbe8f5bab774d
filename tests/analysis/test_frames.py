"""Folders of sweeps read back with their types: one row a run however many list it, also while one is writing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

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
    epochs_frame([{"spec_id": "run0", "epoch": 1, "test_accuracy": 0.5}]).to_parquet(tmp_path / "epochs.parquet")
    return tmp_path


def write(sweep: Path, rows: list[dict[str, Any]], epochs: dict[str, int] | None = None) -> Path:
    """A sweep's folder with these runs, and so many epochs of each of these."""
    sweep.mkdir(parents=True, exist_ok=True)
    runs_frame(rows).to_parquet(sweep / "runs.parquet")
    if epochs is not None:
        each = [{"spec_id": name, "epoch": epoch + 1} for name, count in epochs.items() for epoch in range(count)]
        epochs_frame(each).to_parquet(sweep / "epochs.parquet")
    return sweep


def test_runs_and_epochs_come_back_typed_and_in_order(folder: Path) -> None:
    of_runs = {c.name: c.dtype for c in RUN_COLUMNS} | {"sweep": "string"}
    for frame, columns in (
        (frames.runs(folder), of_runs),
        (frames.epochs(folder), {c.name: c.dtype for c in EPOCH_COLUMNS}),
    ):
        assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == columns
        assert list(frame) == list(columns)
        assert len(frame)
    assert frames.runs(folder)["sweep"].tolist() == [folder.name] * 2
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


def test_a_uri_of_an_unknown_kind() -> None:
    with pytest.raises(InputError, match="carrier-pigeon://loft: cannot be opened"):
        frames.runs("carrier-pigeon://loft")


def test_a_whole_results_folder_is_read_and_each_run_says_its_sweep(tmp_path: Path) -> None:
    write(tmp_path / "sweeps" / "one", [run(0.8, spec_id="a")], {"a": 2})
    write(tmp_path / "sweeps" / "two", [run(0.9, spec_id="b")], {"b": 3})
    runs, epochs = frames.runs(tmp_path), frames.epochs(tmp_path)
    assert dict(zip(runs["spec_id"], runs["sweep"], strict=True)) == {"a": "one", "b": "two"}
    assert epochs["spec_id"].value_counts().to_dict() == {"a": 2, "b": 3}


def test_several_folders_are_read_and_one_that_is_given_twice_once(tmp_path: Path) -> None:
    one = write(tmp_path / "here" / "sweeps" / "one", [run(0.8, spec_id="a")], {"a": 2})
    two = write(tmp_path / "there" / "two", [run(0.9, spec_id="b")], {"b": 1})
    runs = frames.runs(tmp_path / "here", f"{one}/", one.as_uri(), two)
    assert (runs["spec_id"].tolist(), runs["sweep"].tolist()) == (["a", "b"], ["one", "two"])
    assert len(frames.epochs(tmp_path / "here", one.as_uri(), two)) == 3
    with pytest.raises(InputError, match="no folder was given"):
        frames.runs()


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize(
    ("less", "more"),
    [
        ({"status": "running", "epochs_run": 30}, {"status": "finished", "epochs_run": 12}),
        ({"status": "failed", "epochs_run": None}, {"status": "stopped", "epochs_run": 1}),
        ({"status": "running", "epochs_run": 3}, {"status": "running", "epochs_run": 4}),
        ({"status": None, "epochs_run": 9}, {"status": "finished", "epochs_run": None}),
    ],
)
def test_of_two_rows_of_one_run_the_one_that_is_further_counts(
    tmp_path: Path, less: dict[str, Any], more: dict[str, Any], swapped: bool
) -> None:
    names = ["two", "one"] if swapped else ["one", "two"]
    for name, fields in zip(names, (less, more), strict=True):
        write(tmp_path / "sweeps" / name, [run(0.8, spec_id="a", **fields)])
    runs = frames.runs(tmp_path)
    assert runs["sweep"].tolist() == ["one, two"]
    expected = runs_frame([run(0.8, spec_id="a", **more)])
    pd.testing.assert_frame_equal(runs.drop(columns="sweep"), expected)


def test_of_two_tables_epochs_are_from_the_one_that_has_most(tmp_path: Path) -> None:
    write(tmp_path / "sweeps" / "one", [run(0.8, spec_id="a"), run(0.8, spec_id="b")], {"a": 2, "b": 5})
    write(tmp_path / "sweeps" / "two", [run(0.8, spec_id="a"), run(0.8, spec_id="b")], {"a": 4, "b": 1})
    epochs = frames.epochs(tmp_path)
    assert epochs.groupby("spec_id")["epoch"].agg(list).to_dict() == {"a": [1, 2, 3, 4], "b": [1, 2, 3, 4, 5]}


def test_tables_of_two_moments_of_a_sweep_at_work_fit_together(tmp_path: Path) -> None:
    sweep = write(
        tmp_path / "sweeps" / "one", [run(status="running", spec_id="a"), run(spec_id="b")], {"a": 2, "new": 1}
    )
    assert set(frames.epochs(tmp_path)["spec_id"]) == {"a"}
    (sweep / "epochs.parquet").unlink()
    epochs = frames.epochs(tmp_path)
    assert (len(epochs), [str(dtype) for dtype in epochs.dtypes]) == (0, [c.dtype for c in EPOCH_COLUMNS])


def test_a_file_that_is_replaced_while_it_is_read_is_read_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, tries = frames._table, []

    def vanishing(files: fs.FileSystem, path: str) -> pd.DataFrame | None:
        tries.append(path)
        if len(tries) == 1:
            raise FileNotFoundError(path)
        return read(files, path)

    monkeypatch.setattr(frames, "_table", vanishing)
    monkeypatch.setattr(frames, "RETRY_S", 0.0)
    assert (len(frames.runs(folder)), len(tries)) == (2, 2)


def test_an_empty_table_is_no_runs(tmp_path: Path) -> None:
    write(tmp_path, [], {})
    assert (len(frames.runs(tmp_path)), len(frames.epochs(tmp_path))) == (0, 0)
    write(tmp_path / "sweeps" / "one", [], {})
    write(tmp_path / "sweeps" / "two", [run(0.8, spec_id="a")], {"a": 1})
    assert len(frames.runs(tmp_path / "sweeps" / "one", tmp_path / "sweeps" / "two")) == 1


def test_what_a_sweep_says_of_itself(folder: Path) -> None:
    assert frames.about(folder) == {}
    (folder / "sweep.json").write_text('{"sweep_format": 1, "name": "mine", "teacher": {"test_accuracy": NaN}}')
    said = {"sweep_format": 1, "name": "mine", "teacher": {"test_accuracy": None}}
    assert frames.about(f"{folder}/") == frames.about(folder.as_uri()) == said


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "cannot be read, damaged or half written"),
        ('{"sweep_format": 1, "na', "cannot be read, damaged or half written"),
        ("[1, 2]", r"sweep_format is \[1, 2\]; this version reads 1"),
        ("{}", "sweep_format is None; this version reads 1"),
        (json.dumps({"sweep_format": 2}), "sweep_format is 2; this version reads 1"),
    ],
)
def test_a_damaged_sweep_json_is_named(folder: Path, content: str, said: str) -> None:
    (folder / "sweep.json").write_text(content)
    with pytest.raises(InputError, match=rf"{folder.name}/sweep\.json: {said}"):
        frames.about(folder)


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
    monkeypatch.setattr(frames, "put", put)
    frames.write("s3://bucket/sweep", "table.md", b"text")
    assert store.written == {"bucket/sweep/table.md": b"text"}
