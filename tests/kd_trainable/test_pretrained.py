"""Pretrained weights are torchvision's, from torch.hub's folder or downloaded once; what cannot be had is one line."""

from __future__ import annotations

import functools
import hashlib
import http.server
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
import torchvision
from starts import equal, refused, started, tensors
from torch import Tensor
from torchvision.models import Weights, WeightsEnum

from kd_trainable.models import MODELS
from kd_trainable.models.build import build
from kd_trainable.models.start import require_start


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in the place of torch.hub's."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def save(folder: Path, url: str, weights: dict[str, Tensor]) -> Path:
    torch.save(weights, folder / url.rpartition("/")[2])
    return folder / url.rpartition("/")[2]


@pytest.mark.parametrize("name", ["mobilenetv2", "shufflenetv2_x0_5", "squeezenet1_1"])
def test_pretrained_weights_win_but_for_a_last_layer_of_other_classes(name: str, hub: Path) -> None:
    torch.manual_seed(1)
    given = tensors(build(name, 1000, 3))
    save(hub, torchvision.models.get_weight(MODELS[name].weights).url, given)
    found, anew = tensors(started(name, pretrained=True, init="xavier")), tensors(started(name, init="xavier"))
    last = [key for key, value in given.items() if value.shape != found[key].shape]
    assert len(last) == 2  # weight and bias
    assert all(torch.equal(found[key], anew[key]) for key in last)
    assert all(torch.equal(value, given[key]) for key, value in found.items() if key not in last)
    assert equal(tensors(started(name, 1000, pretrained=True)), given)


def test_a_classifier_of_torchvision_has_its_default_weights(hub: Path) -> None:
    """The densenets' files name some tensors as old modules did."""
    name, weights = "torchvision:densenet121", torchvision.models.DenseNet121_Weights.DEFAULT
    torch.manual_seed(1)
    given = tensors(build(name, 1000, 3))
    save(
        hub, weights.url, {key.replace("norm1.", "norm.1.").replace("conv1.", "conv.1."): v for key, v in given.items()}
    )
    found = tensors(started(name, pretrained=True))
    assert all(torch.equal(value, given[key]) for key, value in found.items() if "classifier" not in key)


def test_weights_of_another_network_are_refused(hub: Path) -> None:
    url = torchvision.models.get_weight(MODELS["mobilenetv2"].weights).url
    save(hub, url, tensors(build("squeezenet1_1", 1000, 3)))
    said = refused(lambda: started("mobilenetv2", pretrained=True))
    assert said.startswith("pretrained: MobileNet_V2_Weights.IMAGENET1K_V1 has no features.0.0.weight")
    save(hub, url, {key: value.new_zeros(3) for key, value in tensors(build("mobilenetv2", 10, 3)).items()})
    assert "no tensor of MobileNet_V2_Weights.IMAGENET1K_V1 has the shape" in refused(
        lambda: started("mobilenetv2", pretrained=True)
    )


def test_a_damaged_file_and_one_with_code_are_one_line(hub: Path) -> None:
    url = torchvision.models.get_weight(MODELS["mobilenetv2"].weights).url
    file = save(hub, url, {"features": functools.partial(print, "run")})  # type: ignore[dict-item]
    for content in (file.read_bytes(), file.read_bytes()[:100], b"<html>"):
        file.write_bytes(content)
        said = refused(lambda: started("mobilenetv2", pretrained=True))
        assert said.startswith("pretrained: MobileNet_V2_Weights.IMAGENET1K_V1 cannot be had (")
        assert str(file) in said


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hub: Path) -> Iterator[Callable[[str, bytes], None]]:
    """Has a local server hold the weights of mobilenetv2 under a name of one's choice."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()

        def serve(name: str, content: bytes) -> None:
            (folder / name).write_bytes(content)
            weights_at(monkeypatch, f"http://127.0.0.1:{server.server_port}/{name}")

        yield serve
        server.shutdown()
        thread.join()


def weights_at(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    class Fake(WeightsEnum):
        DEFAULT = Weights(url, None, {})  # type: ignore[arg-type]

    monkeypatch.setattr(torchvision.models, "get_weight", lambda name: Fake.DEFAULT)


def test_weights_are_downloaded_once_and_checked(served: Callable[[str, bytes], None], hub: Path) -> None:
    torch.manual_seed(1)
    given = tensors(build("mobilenetv2", 10, 3))
    content = save(hub, "local", given).read_bytes()
    name = f"small-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    served(name, content)
    assert equal(tensors(started("mobilenetv2", pretrained=True)), given)
    assert (hub / name).read_bytes() == content
    served(name, b"")  # what is there is not asked for again
    assert equal(tensors(started("mobilenetv2", pretrained=True)), given)
    served("small-00000000.pth", content)
    said = refused(lambda: started("mobilenetv2", pretrained=True))
    assert "invalid hash value" in said
    assert not (hub / "small-00000000.pth").exists()


def test_no_connection_is_one_line(monkeypatch: pytest.MonkeyPatch, hub: Path) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        weights_at(monkeypatch, f"http://127.0.0.1:{taken.getsockname()[1]}/small.pth")
        said = refused(lambda: started("mobilenetv2", pretrained=True))
    assert said.startswith("pretrained: Fake.DEFAULT cannot be had (URLError")
    assert str(hub / "small.pth") in said


@pytest.mark.parametrize("name", ["resnet18", "torchvision.models:resnet18"])
def test_pretrained_is_refused_where_there_are_no_weights(name: str) -> None:
    said = refused(lambda: require_start(name, pretrained=True))
    assert said.startswith(
        f"pretrained: true is not allowed; torchvision has no weights for {name}; those that have: mob"
    )
    assert said.endswith(", and torchvision:NAME")


def test_what_can_be_is_not_refused_and_nothing_is_downloaded(hub: Path) -> None:
    require_start("resnet152", init="kaiming", zero_gamma=True)
    require_start("mobilenetv2", pretrained=True, zero_gamma=True)
    require_start("torchvision:mobilenet_v3_small", pretrained=True, zero_gamma=True)
    require_start("torchvision:resnet50", pretrained=True)
    assert list(hub.iterdir()) == []
