"""A run that comes to grief does so alone: by its numbers, by an exception, or with its worker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from short_runs import history, result

from kd_trainable.tuning import driver
from kd_trainable.tuning.conductor import Conductor

Sweep = Callable[..., pd.DataFrame]
OWN = [f"own_parts:{name}" for name in ("slow", "breaks", "kills_once", "always_kills")]
ASKED: dict[str, Any] = {
    "blocks": [{"student": OWN}, {"student": ["own_parts:slow"], "lr": [1e12]}],
    "temperature": 4,
    "epochs": 4,
    "baselines": False,
    "retries": 1,
}


@pytest.fixture(scope="module")
def mishaps(short_sweep: Sweep, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    """A sweep of five runs, of which four come to grief: its storage, and its runs by student and rate."""
    storage = tmp_path_factory.mktemp("mishaps")
    runs = short_sweep(storage, **ASKED)
    rate = runs["lr"].map(lambda lr: " at a high rate" if lr > 1 else "")
    return storage, runs.set_index(runs["student"].str.partition(":")[2] + rate)


def test_each_has_a_row_and_the_others_finish(mishaps: tuple[Path, pd.DataFrame]) -> None:
    assert mishaps[1]["status"].to_dict() == {
        "slow": "finished",
        "breaks": "failed",
        "kills_once": "finished",
        "always_kills": "lost",
        "slow at a high rate": "failed",
    }


def test_nan_is_recorded_and_not_tried_again(mishaps: tuple[Path, pd.DataFrame]) -> None:
    storage, runs = mishaps
    failed = runs.loc["slow at a high rate"]
    assert failed["attempts"] == 1
    assert failed["error"].startswith("NumbersError: the loss became ")
    assert failed["epochs_run"] == 0
    assert result(storage, failed["spec_id"])["error_kind"] == "numbers"


def test_an_exception_is_recorded_in_one_line_and_not_tried_again(mishaps: tuple[Path, pd.DataFrame]) -> None:
    failed = mishaps[1].loc["breaks"]
    assert (failed["attempts"], failed["error"]) == (1, "RuntimeError: this student breaks")
    assert failed["epochs_run"] == 1


def test_a_run_whose_worker_dies_once_goes_on_to_the_very_same_numbers(
    mishaps: tuple[Path, pd.DataFrame], short_sweep: Sweep, tmp_path: Path
) -> None:
    storage, runs = mishaps
    killed = runs.loc["kills_once"]
    assert (killed["attempts"], killed["epochs_run"]) == (2, 4)
    undisturbed = short_sweep(tmp_path, **{**ASKED, "blocks": [{"student": ["own_parts:kills_once"]}]})
    assert list(undisturbed["attempts"]) == [1]
    assert list(undisturbed["spec_id"]) == [killed["spec_id"]]
    assert history(tmp_path, killed["spec_id"]) == history(storage, killed["spec_id"])
    kept = [next((at / "runs" / killed["spec_id"]).glob("weights-*")) for at in (tmp_path, storage)]
    one, other = (load_file(path) for path in kept)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert kept[0].name == kept[1].name  # by their sha256


def test_a_run_whose_worker_always_dies_is_lost_after_its_retries(mishaps: tuple[Path, pd.DataFrame]) -> None:
    lost = mishaps[1].loc["always_kills"]
    assert lost["attempts"] == 2
    assert "worker process has died" in lost["error"]
    assert "\n" not in lost["error"]


def test_the_same_call_tries_again_what_may_not_fail_again(
    mishaps: tuple[Path, pd.DataFrame], short_sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage, runs = mishaps
    queued: list[str] = []
    monkeypatch.setattr(driver, "run", lambda job, conductor, book, scratch: queued.extend(conductor.queue))
    short_sweep(storage, **ASKED)
    assert set(queued) == {runs.loc[name, "spec_id"] for name in ("breaks", "always_kills")}


def test_a_trial_refuses_a_config_that_is_not_the_run_it_is_named(
    short_sweep: Sweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suggest: Callable[[Conductor, str], Any] = Conductor.suggest

    def altered(self: Conductor, trial_id: str) -> Any:
        config = suggest(self, trial_id)
        return {**config, "temperature": 5.0} if isinstance(config, Mapping) else config

    monkeypatch.setattr(Conductor, "suggest", altered)
    runs = short_sweep(tmp_path, temperature=[4], baselines=False)
    assert list(runs["status"]) == ["failed"]
    assert "not the" in runs["error"][0]
    assert runs["spec_id"][0] in runs["error"][0]
