"""What no sweep of this version wrote is one line that names the file and what is wrong, and is never left out."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hand_made import epochs_frame, run, runs_frame

from analysis import frames
from kd_trainable.vocabulary import InputError


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A results folder with two sweeps, of which the second is to be damaged."""
    monkeypatch.setattr(frames, "RETRY_S", 0.0)
    for name in ("first", "second"):
        sweep = tmp_path / "sweeps" / name
        sweep.mkdir(parents=True)
        runs_frame([run(0.8, spec_id=name)]).to_parquet(sweep / "runs.parquet")
        epochs_frame([{"spec_id": name, "epoch": 1}]).to_parquet(sweep / "epochs.parquet")
    return tmp_path


def refused(read: Callable[[], pd.DataFrame]) -> str:
    with pytest.raises(InputError) as caught:
        read()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere", "nowhere: no such folder; give RESULTS, or a sweep's, RESULTS/sweeps/NAME"),
        ("empty", "empty: no results; there is neither runs.parquet nor sweeps/NAME/runs.parquet in it"),
        ("file", "file: not a folder; give RESULTS"),
    ],
)
def test_a_folder_without_results(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "empty" / "sweeps" / "begun").mkdir(parents=True)
    (tmp_path / "file").write_text("runs")
    for read in (frames.runs, frames.epochs):
        assert said in refused(lambda read=read: read(tmp_path / name))


def test_missing_and_unknown_columns_are_named_and_what_helps(results: Path) -> None:
    frame = runs_frame([run(0.8)]).drop(columns=["seed", "protocol"]).assign(grad_clip=1.0)
    frame.to_parquet(results / "sweeps" / "second" / "runs.parquet")
    said = (
        f"{results}/sweeps/second/runs.parquet: missing columns: protocol, seed; unknown columns: grad_clip: "
        "another version's; the sweep's own command makes its tables anew"
    )
    assert refused(lambda: frames.runs(results)) == said


def test_a_column_that_might_tell_runs_apart_is_not_passed_over(results: Path) -> None:
    runs_frame([run(0.8)]).assign(grad_clip=1.0).to_parquet(results / "sweeps" / "second" / "runs.parquet")
    assert "second/runs.parquet: unknown columns: grad_clip: another version" in refused(lambda: frames.runs(results))


def test_a_table_of_something_else(results: Path) -> None:
    pd.DataFrame({"x": [1]}).to_parquet(results / "sweeps" / "second" / "runs.parquet")
    line = refused(lambda: frames.runs(results))
    assert "missing columns: spec_id, status, attempts, dataset and " in line
    assert "more; unknown columns: x: " in line


@pytest.mark.parametrize("name", ["runs.parquet", "epochs.parquet"])
@pytest.mark.parametrize("keep", [0, 10, 2000])
def test_a_half_written_file(results: Path, name: str, keep: int) -> None:
    path = results / "sweeps" / "second" / name
    path.write_bytes(path.read_bytes()[:keep])
    line = refused(lambda: frames.runs(results) if name == "runs.parquet" else frames.epochs(results))
    assert line.startswith(f"{path}: cannot be read, damaged or half written: ")


def test_a_flipped_byte_is_a_line_or_does_no_harm(results: Path) -> None:
    path = results / "sweeps" / "second" / "runs.parquet"
    whole = path.read_bytes()
    lines = [_answer(path, whole, at) for at in range(4, len(whole), len(whole) // 60)]
    assert all(line.startswith((f"{path}: ", "read")) for line in lines)
    assert sum(line != "read" for line in lines) > 10


def _answer(path: Path, whole: bytes, at: int) -> str:
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
    try:
        frames.runs(path.parent)
    except InputError as error:
        return str(error)
    return "read"


def test_a_folder_of_the_name_of_a_table(results: Path) -> None:
    path = results / "sweeps" / "second" / "runs.parquet"
    path.unlink()
    path.mkdir()
    assert refused(lambda: frames.runs(results)) == f"{path}: it is a folder, not a file"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"epochs": "many"}, "column epochs is not Int64: "),
        ({"seed": 0.5}, "column seed is not Int64: "),
        ({"alpha": "half"}, "column alpha is not Float64: "),
        ({"test_accuracy_last": 84.36}, "column test_accuracy_last holds 84.36: it must be a fraction, from 0 to 1"),
        (
            {"validation_accuracy_best": float("inf")},
            "column validation_accuracy_best holds inf: it must be a fraction",
        ),
        ({"spec_id": None}, "column spec_id is missing in 1 of 1 rows: no table of a sweep's"),
    ],
)
def test_a_column_that_holds_what_it_cannot(results: Path, fields: dict[str, object], said: str) -> None:
    frame = runs_frame([run(0.8)]).astype(object).assign(**fields)
    frame.to_parquet(results / "sweeps" / "second" / "runs.parquet")
    assert f"second/runs.parquet: {said}" in refused(lambda: frames.runs(results))


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_what_may_not_be_read(results: Path) -> None:
    sweep = results / "sweeps" / "second"
    (sweep / "runs.parquet").chmod(0)
    user = os.geteuid()
    if user == 0:  # root may read everything, so this is somebody else
        os.seteuid(65534)
    try:
        line = refused(lambda: frames.runs(sweep))
    finally:
        if user == 0:
            os.seteuid(0)
    assert line.startswith(str(sweep))
    assert line.endswith("cannot be read: permission denied")
