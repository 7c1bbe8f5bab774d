"""A new method, student and data set: each is one new file and one line of a table, and nothing else knows of it.

The library is copied, the files and the lines are put in, and a run with each new name is trained there.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
METHOD = '''"""Distance by the sign of the logits."""
from torch import Tensor

def loss(student, teacher, batch, *, hyperparameters) -> Tensor:
    """How often the two disagree, softly."""
    return (student.logits.tanh() - teacher.logits.tanh()).abs().mean() * hyperparameters["scale"]
'''
STUDENT = '''"""One linear layer."""
from collections import OrderedDict
from torch import nn

def straight(num_classes: int = 10, in_channels: int = 1) -> nn.Module:
    """[B, C, 8, 8] -> [B, K]."""
    return nn.Sequential(OrderedDict(embedding=nn.Flatten(), classifier=nn.Linear(64 * in_channels, num_classes)))
'''
DATASET = '''"""Stripes."""
import numpy as np
from kd_trainable.data.images import ImageData

def stripes(data_dir=None, download=True) -> ImageData:
    """Two classes."""
    images = np.zeros((60, 1, 8, 8), np.uint8)
    images[::2, :, ::2] = 255
    labels = np.arange(60) % 2
    names = {"dataset": ((0.25,), (0.43,))}
    return ImageData("stripes", images, labels, images[:20], labels[:20], ("up", "down"), names, {"source": "made"})
'''
# part -> (its file, the table, the line, what a run is asked to be)
PARTS = {
    "method": (
        METHOD,
        '    "sign": MethodEntry("kd_trainable.methods.new:loss", 1, {"weight": 2.0, "scale": 1.0}),\n',
        {"method": "kd+sign", "hyperparameters": {"sign.scale": 3.0}},
    ),
    "model": (
        STUDENT,
        '    "straight": ModelEntry("kd_trainable.models.new:straight", 650, ("embedding",), (1, 8, 8)),\n',
        {"student": "straight"},
    ),
    "data": (DATASET, '    "stripes": DatasetEntry("kd_trainable.data.new:stripes"),\n', {"dataset": "stripes"}),
}
TABLES = {"method": ("methods", "METHODS"), "model": ("models", "MODELS"), "data": ("data", "DATASETS")}
TRAINS = """
import json
from kd_trainable.data.load import load
from kd_trainable.data.inputs import make_inputs
from kd_trainable.engine.plain import PlainRun
from kd_trainable.records import EPOCH_COLUMNS
from kd_trainable.spec import RunSpec, spec_id
import torch
def trained(asked):
    fields = dict(dataset="digits", student="digits_mlp", teacher="digits_cnn", augment="none", batch_size=20, epochs=1)
    spec = RunSpec(**{**fields, **asked})
    data = load(spec.dataset)
    inputs = make_inputs(data, spec.protocol, spec.normalization, "cpu", False)
    run = PlainRun(spec, inputs, lambda epoch: torch.zeros(len(inputs.train), inputs.classes))
    row = run.step_epoch()
    assert set(row) <= {column.name for column in EPOCH_COLUMNS}, row
    return spec_id(spec, data.fingerprint(), "t"), sorted(row)
print(json.dumps({part: trained(asked) for part, asked in ASKED.items()}))
"""


def put_in(part: str, library: Path) -> None:
    """The new file, and its line in the table."""
    source, line, _ = PARTS[part]
    folder, table = TABLES[part]
    (library / folder / "new.py").write_text(source)
    init = library / folder / "__init__.py"
    text = init.read_text()
    start = text.index("\n", text.index(f"\n{table}") + 1) + 1
    init.write_text(text[:start] + line + text[start:])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, list[str]]]:
    """Of each part the name of the run that was trained with it, and its epoch's columns; all in one process."""
    place = tmp_path_factory.mktemp("copy")
    shutil.copytree(ROOT / "kd_trainable", place / "kd_trainable", ignore=shutil.ignore_patterns("__pycache__"))
    for part in PARTS:
        put_in(part, place / "kd_trainable")
    code = f"ASKED = { {part: asked for part, (_, _, asked) in PARTS.items()}!r}\n{TRAINS}"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, tuple[str, list[str]]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("part", PARTS)
def test_one_file_and_one_line(part: str, trained: dict[str, tuple[str, list[str]]]) -> None:
    name, columns = trained[part]
    assert len(name) == 16
    assert ("sign_loss" in columns) == (part == "method")
