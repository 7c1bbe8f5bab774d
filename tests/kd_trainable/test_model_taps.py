"""What a method may tap: every stage, and what its last ReLU is given, with the batch norm that made it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from kd_trainable.engine.features import outputs
from kd_trainable.models import MODELS
from kd_trainable.models.build import build

BATCH = 2
LARGE = 25_000_000  # parameters; a larger network is looked at on the meta device alone
PLAIN = [name for name in MODELS if name.startswith(("resnet", "vgg", "conv", "cnn", "digits_cnn", "emnist_cnn"))]
WIDE = [name for name in MODELS if name.startswith("wrn")]
SHUFFLE = [name for name in MODELS if name.startswith("shufflenet")]
SQUEEZE = [name for name in MODELS if name.startswith("squeezenet")]
NONE = ["digits_mlp", "emnist_mlp"]


def features(name: str) -> tuple[nn.Module, list[Tensor], list[Tensor]]:
    """The network, its stages' outputs, and what its table says comes before their last ReLU."""
    entry, torch_device = MODELS[name], "cpu" if MODELS[name].parameters < LARGE else "meta"
    torch.manual_seed(0)
    with torch.device(torch_device):
        network = build(name, 10, entry.shape[0]).eval()
        for part in network.modules():  # or every norm would have the same scale and shift
            if isinstance(part, nn.BatchNorm2d):
                nn.init.normal_(part.weight)
                nn.init.normal_(part.bias)
        images = torch.randn(BATCH, *entry.shape)
    stages, before = list(entry.taps[:-1]), [tap for tap, _ in entry.before_relu]
    with torch.inference_mode():
        found = outputs(network, images, [*stages, *before]).features
    return network, [found[tap] for tap in stages], [found[tap] for tap in before]


def same(found: Tensor, expected: Tensor) -> bool:
    return found.shape == expected.shape and (found.is_meta or bool((found == expected).all()))


def test_every_network_is_in_one_of_these_tests() -> None:
    assert sorted([*PLAIN, *WIDE, *SHUFFLE, *SQUEEZE, *NONE, "mobilenetv2"]) == sorted(MODELS)


@pytest.mark.parametrize("name", PLAIN)
def test_relu_of_what_is_tapped_is_the_stage(name: str) -> None:
    _, stages, before = features(name)
    assert len(stages) == len(before) >= 2
    assert all(same(tapped.relu(), stage) for stage, tapped in zip(stages, before, strict=True))
    assert all(tapped.is_meta or tapped.min() < 0 for tapped in before)


@pytest.mark.parametrize("name", PLAIN)
def test_the_named_norm_makes_what_is_tapped(name: str) -> None:
    """Alone, or together with the block's shortcut."""
    network, _, before = features(name)
    images = torch.randn(BATCH, *MODELS[name].shape, device=before[0].device)
    for tap, norm in [pair for pair in MODELS[name].before_relu if pair[1]]:
        owner = norm.rpartition(".")[0]
        with torch.inference_mode():
            found = outputs(network, images, [tap, norm, f"{owner}/input"]).features
            block = network.get_submodule(owner)
            made = found[norm] + (block.shortcut(found[f"{owner}/input"]) if hasattr(block, "shortcut") else 0.0)
        assert same(found[tap], made)


@pytest.mark.parametrize("name", WIDE)
def test_wide_resnets_give_the_next_batch_norm_of_the_stage(name: str) -> None:
    network, stages, before = features(name)
    for stage, tapped, (_, norm) in zip(stages, before, MODELS[name].before_relu, strict=True):
        with torch.inference_mode():
            assert same(network.get_submodule(norm)(stage), tapped)


def test_the_blocks_of_mobilenetv2_end_without_relu() -> None:
    _, stages, before = features("mobilenetv2")
    assert all(same(tapped, stage) and stage.min() < 0 for stage, tapped in zip(stages, before, strict=True))


@pytest.mark.parametrize("name", SHUFFLE)
def test_shufflenets_give_the_half_that_the_last_relu_makes(name: str) -> None:
    """The shuffle puts the branch's channels between those that were passed on."""
    _, stages, before = features(name)
    assert same(before[0].relu(), stages[0])
    assert all(same(tapped.relu(), stage[:, 1::2]) for stage, tapped in zip(stages[1:], before[1:], strict=True))


@pytest.mark.parametrize("name", SQUEEZE)
def test_squeezenets_give_the_half_that_the_last_relu_makes(name: str) -> None:
    _, stages, before = features(name)
    assert same(before[0].relu(), stages[0])
    halves = [stage.chunk(2, dim=1)[1] for stage in stages[1:]]
    assert all(same(tapped.relu(), half) for half, tapped in zip(halves, before[1:], strict=True))


@pytest.mark.parametrize("name", MODELS)
def test_the_named_norm_is_a_batch_norm_of_the_taps_channels(name: str) -> None:
    network, _, before = features(name)
    norms = [norm for _, norm in MODELS[name].before_relu]
    for norm, tapped in zip(norms, before, strict=True):
        if norm:
            found = network.get_submodule(norm)
            assert isinstance(found, nn.BatchNorm2d)
            assert found.num_features == tapped.shape[1]
    has_norms = any(isinstance(part, nn.BatchNorm2d) for part in network.modules())
    assert bool(norms and all(norms)) == has_norms


@pytest.mark.parametrize("name", [*SHUFFLE, *SQUEEZE, "mobilenetv2", "resnet50", "resnet32x4", "wrn_40_1"])
def test_stages_are_tapped_once_at_each_resolution(name: str) -> None:
    sides: list[int] = []
    with torch.device("meta"):
        network = build(name, 10, 3)
    for tap in MODELS[name].taps[:-1]:
        network.get_submodule(tap).register_forward_hook(lambda _m, _i, out: sides.append(out.shape[-1]))
    network(torch.zeros(BATCH, 3, 32, 32, device="meta"))
    assert sides == [32, 16, 8, 4][: len(sides)]
    assert len(sides) >= 3


@pytest.mark.parametrize("name", ["resnet8x4", "wrn_16_1", "vgg8", "conv4", "mobilenetv2", "shufflenetv2_x0_5"])
def test_gradients_reach_a_students_features(name: str) -> None:
    """In training mode, through in-place ReLUs too."""
    entry = MODELS[name]
    network = build(name, 10, 3).train()
    taps = [*entry.taps, *(tap for tap, _ in entry.before_relu)]
    found = outputs(network, torch.randn(BATCH, *entry.shape), taps)
    torch.stack([feature.square().mean() for feature in found.features.values()]).sum().backward()
    assert all(
        p.grad is not None and p.grad.isfinite().all() for p in network.get_submodule(entry.taps[0]).parameters()
    )
