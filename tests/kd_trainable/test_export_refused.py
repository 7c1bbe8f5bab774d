"""What cannot be exported, and files that are not what they should be: one line each, and no files."""

from __future__ import annotations

import runpy
from typing import Any

import exported_runs
import numpy as np
import pytest
import tiny
import torch
from torch import nn

from kd_trainable.data.digits import digits
from kd_trainable.export import check, formats, student
from kd_trainable.export.files import export
from kd_trainable.vocabulary import InputError

CHOSEN = {"sweep": "first", "how": "it was the only one"}


@pytest.fixture(scope="module")
def trained() -> student.Trained:
    return exported_runs.trained(student="digits_cnn", teacher="digits_mlp")


def refused(run: student.Trained, name: str = "safetensors", data: Any = None) -> str:
    with pytest.raises(InputError) as error:
        export(run, name, data, CHOSEN)
    assert "\n" not in str(error.value)
    return str(error.value)


def changed(run: student.Trained, **changes: Any) -> student.Trained:
    known = {"spec_id": run.spec_id, "spec": run.spec, "result": run.result, "weights": run.weights}
    return student.Trained(**{**known, **changes})


def test_an_unknown_format(trained: student.Trained) -> None:
    assert refused(trained, "onx") == (
        "format: unknown name 'onx' (did you mean 'onnx'?); allowed: safetensors, onnx, torch_export"
    )


def test_onnx_without_its_packages(trained: student.Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats.importlib.util, "find_spec", lambda name: None)
    assert refused(trained, "onnx") == (
        "format: onnx needs onnx, onnxscript, onnxruntime: pip install 'kd-trainable[onnx]'"
    )


class Choosy(nn.Module):
    """Looks at its images to decide what to do, which no tracing can follow."""

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.head = nn.Linear(64 * in_channels, num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(images.flatten(1))
        return -logits if bool(images.mean() > 10) else logits


@pytest.mark.parametrize("name", ["onnx", "torch_export"])
def test_a_network_that_cannot_be_traced_can_still_be_had_as_weights(
    name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    run = exported_runs.trained(steps=False, student="test_export_refused:Choosy")
    line = refused(run, name)
    assert line.startswith(f"student: test_export_refused:Choosy cannot be exported as {name} (")
    assert line.endswith("; safetensors takes any network")
    assert capfd.readouterr() == ("", "")
    assert export(run, "safetensors", None, CHOSEN)


def test_weights_that_are_cut_short(trained: student.Trained) -> None:
    line = refused(changed(trained, weights=trained.weights[:-8]))
    assert line.startswith(f"run: {trained.spec_id}: its weights are damaged (")


def test_weights_of_another_network(trained: student.Trained) -> None:
    other = exported_runs.trained(steps=False)
    line = refused(changed(trained, weights=other.weights))
    assert line.startswith(f"run: {trained.spec_id}: the weights are not a digits_cnn's: ")


def test_weights_of_another_run_of_the_same_network(trained: student.Trained) -> None:
    """Their names and shapes fit; the accuracy does not."""
    other = exported_runs.trained(steps=False, student="digits_cnn", teacher="digits_mlp", seed=3)
    line = refused(changed(trained, weights=other.weights), data=digits())
    assert f"but the result says {100 * trained.result['test_accuracy_last']:.2f} %: changed, or another run's" in line


def test_images_that_the_run_did_not_see(trained: student.Trained) -> None:
    line = refused(trained, data=tiny.data())
    assert line.startswith("dataset: the images of digits here are not those that run ")


def test_a_data_set_that_alone_knows_its_normalisation() -> None:
    run = exported_runs.trained(steps=False)
    other = changed(run, spec=run.spec.__class__(**{**run.spec.flat(), "dataset": "mnist32"}), result={})
    assert refused(other).startswith("dataset: mnist32 is not at hand, which alone says how its pixels are normalised")


@pytest.mark.parametrize(
    "harm", [lambda logits: logits * 1.01, lambda logits: logits[:1], lambda logits: logits * np.nan]
)
def test_a_file_that_says_something_else(harm: Any, trained: student.Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    """A runtime, or an exporter, that is wrong."""
    run_path = runpy.run_path

    def wrong(path: str) -> dict[str, Any]:
        logits = run_path(path)["logits"]
        return {"logits": lambda pixels: harm(logits(pixels))}

    monkeypatch.setattr(check.runpy, "run_path", wrong)
    line = refused(trained)
    assert line.startswith("format: the exported file")
    assert "does not run (ValueError" in line or "differ from the student's by" in line
