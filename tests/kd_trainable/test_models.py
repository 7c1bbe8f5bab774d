"""Every network of the table is what the table says, and a name that leads nowhere is refused in one line."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from kd_trainable.models import MODELS
from kd_trainable.models.build import build, count_parameters
from kd_trainable.vocabulary import InputError

BATCH = 2
LARGE = 25_000_000  # parameters; a larger network is looked at on the meta device alone, in a tenth of the time


def built(name: str, classes: int = 10) -> nn.Module:
    return build(name, classes, MODELS[name].shape[0])


def on_meta(name: str, classes: int) -> nn.Module:
    with torch.device("meta"):
        return built(name, classes)


def some_images(name: str, *leading: int) -> Tensor:
    return torch.randn(*leading, *MODELS[name].shape, generator=torch.Generator().manual_seed(0))


def test_the_table_has_all_networks() -> None:
    assert sorted(MODELS) == [
        "cnn2", "conv4", "conv5x5", "digits_cnn", "digits_mlp", "emnist_cnn", "emnist_mlp", "mobilenetv2",
        "resnet101", "resnet110", "resnet14", "resnet152", "resnet18", "resnet20", "resnet32", "resnet32x4",
        "resnet34", "resnet44", "resnet50", "resnet56", "resnet8", "resnet8x4",
        "shufflenetv2_x0_5", "shufflenetv2_x1_0", "shufflenetv2_x1_5", "shufflenetv2_x2_0",
        "squeezenet1_0", "squeezenet1_1", "vgg11", "vgg13", "vgg16", "vgg19", "vgg8",
        "wrn_16_1", "wrn_16_2", "wrn_40_1", "wrn_40_2",
    ]  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_network_is_what_its_entry_says(name: str) -> None:
    """Parameter count, logits in train and eval mode, and each tap fires exactly once, with a batch of features."""
    entry, fired = MODELS[name], []
    assert count_parameters(on_meta(name, entry.classes)) == entry.parameters
    network = built(name) if entry.parameters < LARGE else on_meta(name, 10)
    images = some_images(name, BATCH).to(next(network.parameters()).device)
    for tap in entry.taps:
        network.get_submodule(tap).register_forward_hook(lambda _m, _i, out, tap=tap: fired.append((tap, out.shape)))
    logits = network.train()(images)
    assert logits.shape == (BATCH, 10)
    assert logits.is_meta or logits.isfinite().all()
    assert [tap for tap, _ in fired] == list(entry.taps)
    assert all(shape[0] == BATCH for _, shape in fired)
    assert len(fired[-1][1]) == 2  # the last tap is the embedding, [B, D]
    assert all(len(shape) == 4 for _, shape in fired[:-1])
    assert entry.taps[-1] == "embedding"
    with torch.inference_mode():
        assert network.eval()(images).shape == (BATCH, 10)


@pytest.mark.parametrize("name", MODELS)
def test_classes_are_as_asked(name: str) -> None:
    assert on_meta(name, 7).eval()(some_images(name, 1).to("meta")).shape == (1, 7)


@pytest.mark.parametrize("name", ["resnet20", "mobilenetv2", "shufflenetv2_x0_5", "squeezenet1_1"])
def test_channels_are_as_asked(name: str) -> None:
    with torch.inference_mode():
        assert build(name, 10, 1).eval()(torch.zeros(1, 1, 32, 32)).shape == (1, 10)


@pytest.mark.parametrize("name", ["conv4", "resnet20", "wrn_16_2", "digits_cnn", "shufflenetv2_x0_5"])
def test_channels_last_gives_the_same_logits(name: str) -> None:
    network, images = built(name).eval(), some_images(name, BATCH)
    with torch.inference_mode():
        expected = network(images)
        found = network.to(memory_format=torch.channels_last)(images.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    "name", ["digits_cnn", "resnet20", "wrn_16_2", "resnet8x4", "mobilenetv2", "shufflenetv2_x0_5", "squeezenet1_1"]
)
def test_a_stack_of_networks_equals_each_alone(name: str) -> None:
    """In training mode: the logits, and the running statistics that batch norm writes in place."""
    networks = [built(name).train() for _ in range(2)]
    images = some_images(name, 2, 4)
    parameters, buffers = stack_module_state(networks)  # type: ignore[arg-type]

    def forward(weights: dict[str, Tensor], state: dict[str, Tensor], batch: Tensor) -> Tensor:
        return functional_call(networks[0], (weights, state), (batch,))

    logits = vmap(forward)(parameters, buffers, images)
    for index, network in enumerate(networks):
        torch.testing.assert_close(logits[index], network(images[index]), atol=1e-4, rtol=1e-4)
        for key, buffer in network.named_buffers():
            torch.testing.assert_close(buffers[key][index], buffer, atol=1e-5, rtol=1e-4)


OWN = """
from torch import nn

def takes_all(num_classes, in_channels):
    return nn.Conv2d(in_channels, num_classes, 1)

def takes_classes(num_classes=3):
    return nn.Linear(8, num_classes)

def takes_anything(**keywords):
    return nn.Conv2d(keywords["in_channels"], keywords["num_classes"], 1)

def passes_on(**keywords):
    return takes_classes(**keywords)

def fails(num_classes):
    raise TypeError("a fault of its own")

def needs_depth(depth, num_classes):
    return nn.Linear(depth, num_classes)

def gives_a_number(num_classes):
    return num_classes

ALSO = 3
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "own_networks.py").write_text(OWN)
    (tmp_path / "own_broken.py").write_text("raise OSError('no such\\ndevice')")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    return "own_networks"


@pytest.mark.parametrize("builder", ["takes_all", "takes_classes", "takes_anything", "passes_on"])
def test_own_network_by_name(own: str, builder: str) -> None:
    network: Any = build(f"{own}:{builder}", 5, 2)
    assert network.weight.shape[0] == 5
    assert network.weight.shape[1] == (2 if builder in ("takes_all", "takes_anything") else 8)


def test_torchvision_classifier_by_name() -> None:
    assert build("torchvision.models:squeezenet1_1", 7, 3).eval()(torch.zeros(1, 3, 64, 64)).shape == (1, 7)


@pytest.mark.parametrize(
    "name", ["resnet18", "mobilenet_v3_small", "shufflenet_v2_x0_5", "regnet_y_400mf", "googlenet"]
)
def test_every_classifier_of_torchvision_is_a_network(name: str) -> None:
    """With one output, in training mode too: googlenet's auxiliary heads are off."""
    logits = build(f"torchvision:{name}", 7, 3).train()(torch.zeros(2, 3, 64, 64))
    assert logits.shape == (2, 7)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("resnet51", "resnet50"), ("quantized_resnet18", "resnet18"), ("fcn_resnet50", "resnet50"), ("", ""), ("nn", "")],
)
def test_what_is_no_classifier_of_torchvision_is_refused(name: str, nearest: str) -> None:
    """Neither its networks for other tasks, nor what else it has."""
    with pytest.raises(InputError) as caught:
        build(f"torchvision:{name}", 10, 3, "student")
    close = f" (did you mean 'torchvision:{nearest}'?)" if nearest else ""
    said = f"student: 'torchvision:{name}' is no classifier of torchvision{close}; allowed: torchvision:NAME, of "
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_a_classifier_of_torchvision_is_refused_images_of_one_channel() -> None:
    with pytest.raises(InputError, match="student: torchvision:resnet18 takes images of 3 channels; these have 1"):
        build("torchvision:resnet18", 10, 1, "student")


def test_own_fault_is_not_hidden(own: str) -> None:
    with pytest.raises(TypeError, match="a fault of its own"):
        build(f"{own}:fails", 5, 3)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("resnet81", "unknown name 'resnet81' (did you mean 'resnet8'?)"),
        ("no_such_module:net", "cannot import 'no_such_module' (ModuleNotFoundError"),
        (":net", "cannot import ''"),
        ("own_broken:net", "cannot import 'own_broken' (OSError: no such device)"),
        ("own_networks:net", "has no 'net'"),
        ("own_networks:ALSO", "is int, not callable"),
        (
            "own_networks:needs_depth",
            "cannot be called with num_classes and in_channels: missing a required argument: 'depth'",
        ),
        ("own_networks:gives_a_number", "returned int; allowed: a callable that returns a torch.nn.Module"),
    ],
)
def test_bad_name_gets_one_clear_line(own: str, name: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        build(name, 10, 3)
    line = str(caught.value)
    assert line.startswith("model: ")
    assert said in line
    assert name in line
    assert "allowed: " in line
    assert "\n" not in line
