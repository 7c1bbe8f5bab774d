"""The scripts that are written beside an exported student: the few lines that load it, and that its check runs."""

from __future__ import annotations

from kd_trainable.export.student import Sees

_HEAD = '''"""{about}

``logits(pixels)``: float32 pixels in [0, 1], [N, SHAPE], any N -> logits, [N, CLASSES], as numpy arrays.{further}
"""

'''
_TAIL = """

if __name__ == "__main__":
    import numpy as np

    example = np.random.default_rng(0).random((2, SHAPE), dtype="float32")
    print("classes of two random images:", logits(example).argmax(1))
"""

SAFETENSORS = (
    _HEAD.format(about="The student of card.json, by kd-trainable, PyTorch and safetensors.", further="")
    + """import json
from pathlib import Path

import torch
from safetensors.torch import load_file

from kd_trainable.models.build import build

HERE = Path(__file__).parent
card = json.loads((HERE / "card.json").read_text())
network = build(card["student"], card["classes"], card["channels"]).eval()
network.load_state_dict(load_file(HERE / "model.safetensors"))
mean, std = (torch.tensor(card[name]).view(1, -1, 1, 1) for name in ("mean", "std"))


@torch.inference_mode()
def logits(pixels):
    return network((torch.as_tensor(pixels) - mean) / std).numpy()
"""
    + _TAIL
)

ONNX = (
    _HEAD.format(about="The student of card.json, by onnxruntime and numpy alone.", further="")
    + """from pathlib import Path

import onnxruntime

HERE = Path(__file__).parent
session = onnxruntime.InferenceSession(str(HERE / "model.onnx"), providers=["CPUExecutionProvider"])


def logits(pixels):
    return session.run(["logits"], {"pixels": pixels})[0]
"""
    + _TAIL
)

TORCH_EXPORT = (
    _HEAD.format(
        about="The student of card.json, by PyTorch alone.",
        further="\nLoading a .pt2 can run code that it holds: load it only if you trust where it comes from.",
    )
    + """from pathlib import Path

import torch

HERE = Path(__file__).parent
model = torch.export.load(HERE / "model.pt2").module()


@torch.inference_mode()
def logits(pixels):
    return model(torch.as_tensor(pixels)).numpy()
"""
    + _TAIL
)


def script(text: str, takes: Sees) -> str:
    """A loader for a student that takes images of this shape."""
    return text.replace("SHAPE", ", ".join(map(str, takes.shape))).replace("CLASSES", str(takes.classes))
