"""The teacher is frozen and shared: one fingerprint everywhere, one copy on a machine, unchanged at the end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from short_runs import files, result

from kd_trainable import teacher as teachers
from kd_trainable.tuning import driver


@pytest.fixture(scope="module")
def taught(
    teacher: str, short_sweep: Callable[..., pd.DataFrame], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, pd.DataFrame, dict[str, Any], dict[str, Any]]:
    """A sweep's storage and runs, and the teacher's files before it and after it."""
    storage, before = tmp_path_factory.mktemp("taught"), files(Path(teacher))
    runs = short_sweep(storage, temperature=[1, 4], student=["digits_mlp", "digits_cnn"], augment="crop4+flip")
    return storage, runs, before, files(Path(teacher))


def test_one_fingerprint_everywhere(teacher: str, taught: Any) -> None:
    storage, runs, _, _ = taught
    card = teachers.load(teacher).card
    distilled = runs[runs["method"] == "kd"]
    assert set(distilled["teacher_fingerprint"]) == {card.fingerprint} == {Path(teacher).name}
    assert runs.loc[runs["method"] == "none", "teacher_fingerprint"].isna().all()
    assert {result(storage, spec_id)["teacher_fingerprint"] for spec_id in distilled["spec_id"]} == {card.fingerprint}


def test_its_file_is_as_it_was(taught: Any) -> None:
    _, _, before, after = taught
    assert before == after


def test_every_process_reads_the_same_memory_and_none_can_write_to_it(cluster: None, teacher: str) -> None:
    """A worker's network is views of the object store: read-only for numpy, and not one parameter is a copy."""
    import ray

    found = teachers.load(teacher)
    reference = ray.put(found.arrays)

    @ray.remote
    def look(card: teachers.Card, arrays: dict[str, np.ndarray]) -> tuple[list[bool], bool, bool, str]:
        module = teachers.rebuild(card, arrays)
        tensors = module.state_dict()
        shared = all(tensors[name].data_ptr() == array.ctypes.data for name, array in arrays.items())
        with torch.no_grad():
            module(torch.zeros(4, 1, 8, 8))
        trainable = any(p.requires_grad for p in module.parameters()) or module.training
        return [a.flags.writeable for a in arrays.values()], shared, trainable, teachers.fingerprint(arrays)

    for writeable, shared, trainable, fingerprint in ray.get([look.remote(found.card, reference) for _ in range(2)]):
        assert not any(writeable)
        assert shared
        assert not trainable
        assert fingerprint == found.card.fingerprint


def test_a_teacher_that_was_changed_is_noticed(
    cluster: None, teacher: str, short_sweep: Callable[..., pd.DataFrame], tmp_path: Path, monkeypatch: Any
) -> None:
    import ray

    found = teachers.load(teacher)
    changed = {name: np.array(array * 1.01, array.dtype) for name, array in found.arrays.items()}
    share: Callable[..., Any] = driver._share

    def wrong(*arguments: Any) -> Any:
        made = share(*arguments)
        object.__setattr__(made, "teacher", ray.put(changed))
        return made

    monkeypatch.setattr(driver, "_share", wrong)
    with pytest.raises(RuntimeError, match="the teacher's weights in the object store have changed during the sweep"):
        short_sweep(tmp_path, temperature=4, baselines=False)
    (run,) = (tmp_path / "runs").iterdir()
    assert "the teacher's weights in the object store have changed" in result(tmp_path, run.name)["error"]
