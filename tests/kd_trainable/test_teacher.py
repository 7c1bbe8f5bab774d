"""A teacher: saved and loaded as it was, shared without a copy, frozen; and refused in one line where it is none."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from safetensors.torch import save_file
from torch import nn

from kd_trainable import teacher
from kd_trainable.models.build import build
from kd_trainable.teacher import Card


def network(architecture: str = "tiny:conv") -> nn.Module:
    """With running statistics that are not what it began with."""
    torch.manual_seed(1)
    module = build(architecture, tiny.CLASSES, 1).train()
    for _ in range(3):
        module(torch.randn(16, 1, 8, 8))
    return module.eval()


def card_of(arrays: teacher.Arrays, architecture: str = "tiny:conv") -> Card:
    return Card(
        architecture=architecture,
        dataset="tiny",
        data_fingerprint="d" * 64,
        classes=tiny.CLASSES,
        channels=1,
        normalization="dataset",
        mean=(0.5,),
        std=(0.25,),
        fingerprint=teacher.fingerprint(arrays),
        trained_on="holdout",
        test_accuracy=0.9,
        recipe={"lr": 0.1},
    )


def saved(folder: Path, architecture: str = "tiny:conv") -> Card:
    """A teacher's folder."""
    arrays = teacher.arrays_of(network(architecture).state_dict())
    card, files = teacher.encode(card_of(arrays, architecture), arrays)
    assert list(files) == ["weights.safetensors", "card.json"]  # the card last: a card means that all is there
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return card


@pytest.mark.parametrize("way_in", ["", "weights.safetensors", "card.json"])
def test_a_saved_teacher_is_loaded_as_it_was(tmp_path: Path, way_in: str) -> None:
    card = saved(tmp_path)
    found = teacher.load(tmp_path / way_in, "tiny:conv")
    wanted = network().state_dict()
    assert found.card == card
    assert found.arrays.keys() == wanted.keys()
    assert all(np.array_equal(found.arrays[name], wanted[name].numpy()) for name in wanted)
    assert found.arrays["1.num_batches_tracked"].shape == ()
    assert found.arrays["1.num_batches_tracked"].dtype == np.int64
    images = torch.randn(5, 1, 8, 8)
    with torch.no_grad():
        assert torch.equal(teacher.rebuild(found.card, found.arrays)(images), network()(images))


def test_tied_weights_and_read_only_arrays_can_be_saved(tmp_path: Path) -> None:
    saved(tmp_path, "tiny:Tied")
    found = teacher.load(tmp_path, "tiny:Tied")
    for array in found.arrays.values():
        array.setflags(write=False)
    card, files = teacher.encode(found.card, found.arrays)
    assert card == found.card
    assert files["weights.safetensors"] == (tmp_path / "weights.safetensors").read_bytes()


def read_only(architecture: str) -> tuple[Card, dict[str, np.ndarray]]:
    """As the object store gives them."""
    arrays = {k: v.copy() for k, v in teacher.arrays_of(network(architecture).state_dict()).items()}
    for array in arrays.values():
        array.setflags(write=False)
    return card_of(arrays, architecture), arrays


@pytest.mark.parametrize("architecture", ["tiny:conv", "tiny:mlp", "tiny:Tied", "tiny:Hidden", "tiny:reads_values"])
def test_a_rebuilt_teacher_is_a_view_of_its_arrays(architecture: str) -> None:
    card, arrays = read_only(architecture)
    module = teacher.rebuild(card, arrays)
    state = module.state_dict()
    assert state.keys() == arrays.keys()
    # Tied weights lie in the arrays twice, and one of the two is used.
    assert {v.data_ptr() for v in state.values()} <= {v.ctypes.data for v in arrays.values()}
    assert not any(part.training for part in module.modules())
    assert not any(parameter.requires_grad for parameter in module.parameters())
    assert {tensor.device.type for tensor in [*module.parameters(), *module.buffers()]} == {"cpu"}


@pytest.mark.parametrize("architecture", ["tiny:conv", "tiny:Tied", "tiny:Hidden", "tiny:reads_values"])
def test_a_rebuilt_teacher_answers_as_the_network_did_and_stays_unchanged(architecture: str) -> None:
    card, arrays = read_only(architecture)
    images = torch.randn(40, 1, 8, 8)
    found = teacher.rebuild(card, arrays)(images)
    assert not found.requires_grad
    with torch.no_grad():
        assert torch.equal(found, network(architecture)(images))
    assert teacher.fingerprint(arrays) == card.fingerprint


def test_two_rebuilt_teachers_share_one_copy() -> None:
    card, arrays = read_only("tiny:conv")
    pointers = [[p.data_ptr() for p in teacher.rebuild(card, arrays).parameters()] for _ in range(2)]
    assert pointers[0] == pointers[1]


# The fingerprint.


def test_fingerprint_is_of_the_weights_and_not_of_their_file(tmp_path: Path) -> None:
    state = network().state_dict()
    torch.save(state, tmp_path / "weights.pt")
    torch.save(dict(reversed(state.items())), tmp_path / "legacy.pth", _use_new_zipfile_serialization=False)
    save_file(state, tmp_path / "weights.safetensors", {"made": "elsewhere"})
    names = {teacher.fingerprint(teacher.load_plain(file)) for file in tmp_path.iterdir()}
    assert names == {teacher.fingerprint(teacher.arrays_of(state))}
    assert len(list(tmp_path.iterdir())) == 3


def test_fingerprint_changes_with_one_bit_a_name_or_a_shape() -> None:
    arrays = {k: v.copy() for k, v in teacher.arrays_of(network().state_dict()).items()}
    changed = [arrays]
    for name in arrays:
        bits = arrays[name].copy()
        bits.reshape(-1).view(np.uint8)[-1] ^= 1
        changed.append({**arrays, name: bits})
    changed.append({("renamed" if k == "0.bias" else k): v for k, v in arrays.items()})
    changed.append({k: v.reshape(v.shape[::-1]) for k, v in arrays.items()})
    assert len({teacher.fingerprint(variant) for variant in changed}) == len(changed) == len(arrays) + 3


def test_fingerprint_is_the_documented_hash() -> None:
    arrays = {"b": np.array(3), "a": np.array([[1.0, 2.0]], np.float32)}
    wanted = hashlib.sha256(b"a|<f4|(1, 2)|" + arrays["a"].tobytes() + b"b|<i8|()|" + arrays["b"].tobytes())
    assert teacher.fingerprint(arrays) == wanted.hexdigest()


# A foreign file.


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"state_dict": state, "epoch": 3},
        lambda state: {"model_state_dict": state, "optimizer_state_dict": {"lr": 0.1}},
        lambda state: {"net": state, "acc": 93.1},
        lambda state: {"model": {"state_dict": state}},
        lambda state: {"state_dict": {f"module.{k}": v for k, v in state.items()}},
        lambda state: {f"_orig_mod.{k}": v for k, v in state.items()},
        lambda state: {f"module._orig_mod.{k}": v for k, v in state.items()},
        lambda state: {f"_orig_mod.module.{k}": v for k, v in state.items()},
        lambda state: {k: v.half() if k == "7.bias" else v for k, v in state.items()},
    ],
)
def test_a_plain_state_dict_is_read_however_it_is_wrapped(tmp_path: Path, wrap: Callable[[Any], Any]) -> None:
    state = network().state_dict()
    state["7.bias"] = state["7.bias"].half().float()
    torch.save(wrap(state), tmp_path / "teacher.pt")
    arrays = teacher.load_plain(tmp_path / "teacher.pt")
    assert arrays.keys() == state.keys()
    assert all(np.array_equal(arrays[name], state[name].numpy()) for name in state)


def test_bfloat16_weights_become_float32(tmp_path: Path) -> None:
    state = {k: v.bfloat16() if v.is_floating_point() else v for k, v in network().state_dict().items()}
    save_file(state, tmp_path / "teacher.safetensors")
    arrays = teacher.load_plain(tmp_path / "teacher.safetensors")
    assert {str(array.dtype) for array in arrays.values()} == {"float32", "int64"}
    assert np.array_equal(arrays["0.weight"], state["0.weight"].float().numpy())


def test_a_card_says_whether_the_teacher_saw_the_held_out_images() -> None:
    card = card_of({})
    said = {on: replace(card, trained_on=on).saw_validation() for on in ("holdout", "published", "unknown")}
    assert said == {"holdout": "no", "published": "yes", "unknown": "unknown"}


def test_a_card_reads_as_it_was_written() -> None:
    card = replace(card_of({}), validation_accuracy=None, test_accuracy=1.0, recipe={"milestones": [1, 2]})
    assert teacher.parse_card(json.dumps(asdict(card)).encode(), "card.json") == card
