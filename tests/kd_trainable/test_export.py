"""An exported student says what the student said: in every format, for any batch size, loaded by its own lines."""

from __future__ import annotations

import hashlib
import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import exported_runs
import numpy as np
import pytest
import tiny
import torch

from kd_trainable.data.digits import digits
from kd_trainable.export import check, files, formats, student
from kd_trainable.export.files import export

FORMATS = ["safetensors", "onnx", "torch_export"]
CHOSEN = {"sweep": "first", "how": "it was the only one"}


@pytest.fixture(scope="module")
def trained() -> student.Trained:
    return exported_runs.trained(student="digits_cnn", teacher="digits_mlp")


def put(made: dict[str, bytes], folder: Path) -> Path:
    for name, content in made.items():
        (folder / name).write_bytes(content)
    return folder


def accuracy(loader: Path, size: int) -> float:
    """On the digits' test images, by an exported file and its script alone."""
    data, logits = digits(), runpy.run_path(str(loader))["logits"]
    pixels = data.test_images.astype(np.float32) / np.float32(255)
    classes = [logits(pixels[start : start + size]).argmax(1) for start in range(0, len(pixels), size)]
    return float((np.concatenate(classes) == data.test_labels).mean())


@pytest.mark.parametrize("name", FORMATS)
def test_by_its_own_lines_it_has_the_runs_test_accuracy(name: str, trained: student.Trained, tmp_path: Path) -> None:
    folder = put(export(trained, name, digits(), CHOSEN), tmp_path)
    file, loader = formats.FORMATS[name].file, f"load_{name}.py"
    assert {path.name for path in folder.iterdir()} == {file, loader, "README.md", "card.json"}
    for size in (1, 50, 360):
        assert accuracy(folder / loader, size) == trained.result["test_accuracy_last"]


@pytest.mark.parametrize("name", ["onnx", pytest.param("torch_export", marks=pytest.mark.slow)])
def test_its_script_needs_nothing_of_this_library(name: str, trained: student.Trained, tmp_path: Path) -> None:
    folder = put(export(trained, name, digits(), CHOSEN), tmp_path)
    code = (
        "import runpy, sys\n"
        f"runpy.run_path({str(folder / f'load_{name}.py')!r}, run_name='__main__')\n"
        "ours = ('kd_trainable', *(() if 'torch_export' in sys.argv else ('torch',)))\n"
        "print([name for name in ours if name in sys.modules])\n"
    )
    command = [sys.executable, "-c", code, name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    first, last = done.stdout.splitlines()
    assert first.startswith("classes of two random images: [")
    assert last == "[]"


def test_the_card_says_what_it_is(trained: student.Trained) -> None:
    made = export(trained, "safetensors", digits(), CHOSEN)
    said = json.loads(made["card.json"])
    assert (said["student"], said["dataset"], said["classes"], said["channels"]) == ("digits_cnn", "digits", 10, 1)
    assert (said["image_size"], said["mean"], said["std"]) == ([8, 8], [0.3054], [0.3753])
    assert said["class_names"] == [str(digit) for digit in range(10)]
    assert said["teacher"] == {"name": "digits_mlp", "fingerprint": "f" * 64}
    assert said["test_accuracy"] == trained.result["test_accuracy_last"]
    assert said["validation_accuracy"] == trained.result["validation_accuracy_last"]
    assert said["spec"] == trained.spec.flat()
    assert (said["spec_id"], said["chosen"]) == (trained.spec_id, CHOSEN)
    file = said["files"]["model.safetensors"]
    assert made["model.safetensors"] == trained.weights
    assert file["sha256"] == hashlib.sha256(trained.weights).hexdigest()
    assert file["checked"]["images"] == "72 test images of digits"
    assert file["checked"]["difference"] <= file["checked"]["tolerance"] == check.TOLERANCE
    assert file["checked"]["test_accuracy"] == said["test_accuracy"]
    assert file["made_with"]["torch"].split("+")[0] == torch.__version__.split("+")[0]


def test_the_readme_has_the_lines_that_load_it_and_warns_of_a_pickle(trained: student.Trained) -> None:
    made = export(trained, "torch_export", digits(), CHOSEN)
    text = made["README.md"].decode()
    assert made["load_torch_export.py"].decode().rstrip() in text
    assert "load one only if you trust where it comes from" in text
    assert "digits_cnn on digits" in text


def test_formats_lie_side_by_side(trained: student.Trained) -> None:
    first = export(trained, "safetensors", digits(), CHOSEN)
    before = json.loads(first["card.json"])
    second = export(trained, "torch_export", digits(), CHOSEN, before)
    said = json.loads(second["card.json"])
    assert list(said["files"]) == ["model.safetensors", "model.pt2"]
    assert said["files"]["model.safetensors"] == before["files"]["model.safetensors"]
    for loader in ("load_safetensors.py", "load_torch_export.py"):
        assert f"`{loader}`:" in second["README.md"].decode()
    other = {**before, "spec_id": "another"}
    assert list(json.loads(export(trained, "safetensors", digits(), CHOSEN, other)["card.json"])["files"]) == [
        "model.safetensors"
    ]


def test_without_the_data_random_images_serve_and_that_is_said(trained: student.Trained) -> None:
    said = json.loads(export(trained, "safetensors", None, CHOSEN)["card.json"])
    checked = said["files"]["model.safetensors"]["checked"]
    assert (checked["images"], checked["test_accuracy"]) == ("72 random images", None)
    assert said["class_names"] is None


def test_a_run_of_an_earlier_version_is_read_by_its_data_sets_line() -> None:
    new = exported_runs.trained(steps=False)
    old = student.Trained(new.spec_id, new.spec, {k: v for k, v in new.result.items() if k != "sees"}, new.weights)
    assert student.sees(old, None) == student.sees(new, None) == student.sees(old, digits())


# Networks of many kinds. The weights are random, and the batch norms' statistics as after some training.


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "shape", "format"),
    [
        ("resnet8", tiny.COLOUR, "onnx"),
        ("wrn_16_1", tiny.COLOUR, "torch_export"),
        ("shufflenetv2_x0_5", tiny.COLOUR, "torch_export"),
        ("squeezenet1_1", tiny.COLOUR, "torch_export"),
        ("mobilenetv2", tiny.COLOUR, "safetensors"),
        ("vgg8", tiny.COLOUR, "safetensors"),
        ("emnist_cnn", (1, 28, 28), "torch_export"),
        ("emnist_mlp", (1, 28, 28), "onnx"),
        ("tiny:conv", tiny.GREY, "onnx"),  # with dropout
        ("tiny:dropout_mlp", tiny.GREY, "torch_export"),
        ("tiny:Tied", tiny.GREY, "safetensors"),
        ("tiny:Tied", tiny.GREY, "onnx"),
        ("tiny:Hidden", tiny.GREY, "torch_export"),
    ],
)
def test_networks(name: str, shape: tuple[int, int, int], format: str) -> None:
    data = tiny.data(shape)
    run = exported_runs.trained(data, steps=False, student=name, batch_size=32)
    checked = json.loads(export(run, format, None, CHOSEN)["card.json"])["files"]
    assert next(iter(checked.values()))["checked"]["difference"] <= check.TOLERANCE


@pytest.mark.parametrize("name", ["safetensors", "onnx"])
def test_a_run_in_bf16_under_dropout_has_float32_weights(name: str) -> None:
    run = exported_runs.trained(student="digits_cnn", precision="bf16", dropout=0.5, teacher="digits_mlp")
    said = json.loads(export(run, name, digits(), CHOSEN)["card.json"])
    (facts,) = said["files"].values()
    assert abs(facts["checked"]["test_accuracy"] - run.result["test_accuracy_last"]) <= 3 / 360


def test_nothing_stays_in_the_temporary_folder(trained: student.Trained, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(files.tempfile, "tempdir", str(tmp_path))
    export(trained, "torch_export", None, CHOSEN)
    assert list(tmp_path.iterdir()) == []
