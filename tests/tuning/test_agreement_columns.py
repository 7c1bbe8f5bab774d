"""Agreement with the teacher in a sweep's tables: of every run, undistilled ones too, and with that sweep's teacher."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from short_runs import SHORT, result

from kd_trainable import shards
from kd_trainable import teacher as teachers
from kd_trainable.data.digits import digits
from kd_trainable.data.inputs import make_inputs
from kd_trainable.engine import checkpoint
from kd_trainable.models.build import build
from kd_trainable.spec import RunSpec
from kd_trainable.tuning import results
from kd_trainable.tuning.results import Ending
from kd_trainable.tuning.run_folder import RunFolder
from kd_trainable.tuning.store import Storage

Sweep = Callable[..., pd.DataFrame]
METHODS = ["kd", "pkt"]  # by kept logits, and by a teacher that runs live


@pytest.fixture(scope="module")
def swept(short_sweep: Sweep, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    storage = tmp_path_factory.mktemp("agreement")
    return storage, short_sweep(storage, method=METHODS, temperature=4)


def epochs(storage: Path, name: str = "short") -> pd.DataFrame:
    return pd.read_parquet(io.BytesIO((storage / f"sweeps/{name}/epochs.parquet").read_bytes()))


def agreement(storage: Path, spec_id: str, teacher: str) -> float:
    """Of a finished run with its teacher, computed here from the files of both."""
    from safetensors.torch import load_file

    found, data = teachers.load(teacher), digits()
    inputs = make_inputs(data, "holdout", "dataset", "cpu", False)
    student = build("digits_mlp", 10, 1)
    (kept,) = (storage / "runs" / spec_id).glob("weights-*")
    student.load_state_dict(load_file(kept))
    shown = inputs.as_input(inputs.test_images)
    ours, theirs = student.eval()(shown), teachers.rebuild(found.card, found.arrays)(shown)
    return float((ours.argmax(1) == theirs.argmax(1)).double().mean())


def test_it_is_that_of_the_files_for_every_run(swept: tuple[Path, pd.DataFrame], teacher: str) -> None:
    storage, runs = swept
    assert sorted(runs["method"]) == ["kd", "none", "pkt"]
    for spec_id, said in zip(runs["spec_id"], runs["teacher_agreement"], strict=True):
        assert said == pytest.approx(agreement(storage, spec_id, teacher), abs=1e-12)


def test_every_epoch_has_it_and_the_run_the_last(swept: tuple[Path, pd.DataFrame]) -> None:
    storage, runs = swept
    rows = epochs(storage)
    assert rows["teacher_agreement"].between(0, 1).all()
    last = rows[rows["epoch"] == SHORT["epochs"]].set_index("spec_id")["teacher_agreement"]
    assert last[runs["spec_id"]].tolist() == runs["teacher_agreement"].tolist()


def test_how_long_an_image_takes_and_what_of_a_gpu_was_held(swept: tuple[Path, pd.DataFrame]) -> None:
    _, runs = swept
    assert runs["latency_seconds"].between(1e-7, 1).all()
    assert (runs["gpus"] == 0).all()


def test_the_teacher_sees_the_test_images_once(swept: tuple[Path, pd.DataFrame]) -> None:
    (kept,) = (swept[0] / "logits").glob("*/test.npy")
    assert shards.decode(kept.read_bytes()).shape == (len(digits().test_images), 10)


@pytest.mark.slow
def test_live_teachers_alone_keep_it_too(tmp_path: Path, short_sweep: Sweep) -> None:
    said: list[str] = []
    runs = short_sweep(tmp_path, method="pkt", say=said.append)
    assert runs["teacher_agreement"].notna().all()
    assert [path.name for path in (tmp_path / "logits").glob("*/*")] == ["test.npy"]
    assert "teacher passes made and kept: 0" in said  # of passes over the training images


@pytest.mark.slow
def test_a_baseline_has_none_in_the_tables_of_a_sweep_with_another_teacher_or_none(
    swept: tuple[Path, pd.DataFrame], tmp_path: Path, short_sweep: Sweep
) -> None:
    storage = tmp_path / "other"
    recipe = {"student": "digits_cnn", "augment": "none", "batch_size": 64, "lr": 0.05, "epochs": 1}
    alone = short_sweep(storage, method="none")
    assert alone["teacher_agreement"].isna().all()
    runs = short_sweep(storage, temperature=4, teacher_recipe=recipe, name="other").set_index("method")
    assert runs["teacher_agreement"].notna().to_dict() == {"kd": True, "none": False}
    assert epochs(storage, "other").groupby("spec_id")["teacher_agreement"].count().sort_values().tolist() == [0, 3]
    again = short_sweep(storage, temperature=4, teacher_recipe=recipe, name="other").set_index("method")
    pd.testing.assert_frame_equal(again, runs)


# A run's result, as the tables read it.


def found(agrees_with: str | None, **fields: Any) -> dict[str, Any]:
    numbers = {"validation_accuracy": 0.5, "test_accuracy": 0.5, "images_per_second": 1.0}
    row = {"epoch": 1, **numbers, **({} if agrees_with is None else {"teacher_agreement": 0.75})}
    known = {} if agrees_with is None else {"agreement_with": agrees_with}
    return results.result("id", RunSpec(**SHORT, **fields), Ending("finished"), [row], known)


@pytest.mark.parametrize(
    ("agrees_with", "teacher", "shown"), [("a", "a", 0.75), ("a", "b", None), ("a", "", None), (None, "a", None)]
)
def test_what_a_table_shows(tmp_path: Path, agrees_with: str | None, teacher: str, shown: float | None) -> None:
    run = found(agrees_with, method="none")
    before = repr(run)
    frame = results.write_tables("s", Storage(str(tmp_path)), {"id": RunSpec(**SHORT)}, {"id": run}, teacher)
    said = [frame["teacher_agreement"].iloc[0], epochs(tmp_path, "s")["teacher_agreement"].iloc[0]]
    assert [None if value is pd.NA or np.isnan(value) else value for value in said] == [shown] * 2
    assert repr(run) == before
    assert frame["test_accuracy_last"].iloc[0] == 0.5


@pytest.mark.slow
def test_a_baseline_that_goes_on_under_another_teacher_drops_what_it_had_of_the_first(
    swept: tuple[Path, pd.DataFrame], tmp_path: Path, short_sweep: Sweep, teacher: str
) -> None:
    """Its epochs are of one teacher, or say nothing."""
    (spec_id,) = swept[1].loc[swept[1]["method"] == "none", "spec_id"]
    begin(tmp_path, spec_id, "another")
    runs = short_sweep(tmp_path, temperature=4).set_index("spec_id")
    said = [row.get("teacher_agreement", math.nan) for row in result(tmp_path, spec_id)["history"]]
    assert [math.isnan(value) for value in said] == [True, False, False]
    whole = [row["teacher_agreement"] for row in result(swept[0], spec_id)["history"]]
    assert said[1:] == whole[1:]
    assert runs.loc[spec_id, "teacher_agreement"] == whole[2]
    assert result(tmp_path, spec_id)["agreement_with"] == teachers.load(teacher).card.identity


def begin(storage: Path, spec_id: str, other: str) -> None:
    """The first epoch of an undistilled run, as a sweep with another teacher would have left it."""
    from kd_trainable.engine.plain import PlainRun

    spec = RunSpec(**{**SHORT, "method": "none"})
    run = PlainRun(spec, make_inputs(digits(), "holdout", spec.normalization, "cpu", True))
    run.teacher_classes = run.inputs.test_labels
    run.step_epoch()
    folder = RunFolder(Storage(str(storage)), spec_id)
    folder.claim()
    facts = {"train_seconds": 0.0, "teacher_seconds": 0.0, "agreement_with": other}
    folder.save_checkpoint(1, checkpoint.encode(run, facts))
