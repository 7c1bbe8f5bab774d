"""A network starts as its run says: initial weights, zero-gamma, pretrained weights, dropout; or is refused."""

from __future__ import annotations

import math

import pytest
import torch
from starts import equal, refused, started, tensors
from torch import Tensor, nn

from kd_trainable.models.build import build
from kd_trainable.models.start import require_start, start
from kd_trainable.models.wrn import WideBlock


@pytest.mark.parametrize("name", ["resnet8", "conv5x5", "mobilenetv2"])
def test_by_default_a_network_starts_as_it_was_built(name: str) -> None:
    torch.manual_seed(0)
    assert equal(tensors(build(name, 10, 3)), tensors(started(name)))


@pytest.mark.parametrize("init", ["xavier", "kaiming"])
def test_initial_weights_have_the_variance_of_their_formula(init: str) -> None:
    """Xavier 2 / (fan-in + fan-out) and at most sqrt(6 / that sum); Kaiming 2 / fan-in. Biases 0, norms untouched."""
    module = started("vgg8", init=init)
    layers = [part for part in module.modules() if isinstance(part, nn.Conv2d | nn.Linear)]
    assert len(layers) == 6
    for layer in layers:
        field = layer.weight[0][0].numel()
        fans = layer.weight.shape[1] * field, layer.weight.shape[0] * field
        variance = 2 / sum(fans) if init == "xavier" else 2 / fans[0]
        assert layer.weight.var().item() == pytest.approx(variance, rel=0.1)
        assert layer.bias is not None
        assert not layer.bias.any()
        if init == "xavier":
            assert layer.weight.abs().max() <= math.sqrt(6 / sum(fans))
    assert all(part.weight.eq(1).all() for part in module.modules() if isinstance(part, nn.BatchNorm2d))


def test_the_same_seed_gives_the_same_start() -> None:
    assert equal(tensors(started("conv4", init="kaiming")), tensors(started("conv4", init="kaiming")))
    assert not equal(tensors(started("conv4", init="kaiming")), tensors(started("conv4")))


@pytest.mark.parametrize(
    ("name", "blocks", "first"),
    [
        ("resnet20", 9, "stage1.0.bn2"),
        ("resnet50", 16, "stage1.0.bn3"),
        ("mobilenetv2", 10, "features.3.conv.3"),
        ("torchvision:resnet18", 8, "layer1.0.bn2"),
        ("torchvision:resnet50", 16, "layer1.0.bn3"),
        ("torchvision:mobilenet_v3_small", 6, "features.3.block.2.1"),
    ],
)
def test_zero_gamma_starts_the_last_norm_of_every_residual_block_at_0(name: str, blocks: int, first: str) -> None:
    """Blocks without a shortcut, as some of mobilenet's are, keep theirs: they would begin as nothing."""
    module = started(name, zero_gamma=True)
    norms = {path: part for path, part in module.named_modules() if isinstance(part, nn.BatchNorm2d)}
    zeros = [path for path, part in norms.items() if not part.weight.any()]
    assert len(zeros) == blocks
    assert zeros[0] == first
    assert all(norms[path].weight.eq(1).all() for path in norms.keys() - set(zeros))


def test_with_zero_gamma_a_block_begins_as_its_shortcut() -> None:
    block = started("resnet8", zero_gamma=True).get_submodule("stage1.0").eval()
    images = torch.randn(2, 16, 8, 8)
    assert torch.equal(block(images), images.relu())


@pytest.mark.parametrize("name", ["vgg8", "conv4", "shufflenetv2_x0_5", "digits_mlp", "torchvision:squeezenet1_1"])
def test_zero_gamma_is_refused_where_no_block_has_a_shortcut(name: str) -> None:
    said = refused(lambda: require_start(name, zero_gamma=True))
    assert said == f"zero_gamma: true is not allowed; {name} has no residual block known to end in a batch norm"
    assert refused(lambda: started(name, zero_gamma=True)) == said


def test_zero_gamma_is_refused_for_wide_resnets_with_the_reason() -> None:
    said = refused(lambda: require_start("wrn_16_2", zero_gamma=True))
    assert said.startswith("zero_gamma: true is not allowed; the blocks of wrn_16_2 end in a convolution")
    assert "no gradient at 0" in said


def test_the_reason_holds() -> None:
    block = WideBlock(4, 4, 1)
    nn.init.zeros_(block.bn2.weight)
    block(torch.randn(2, 4, 8, 8)).square().sum().backward()
    grads = [block.bn2.weight.grad, block.bn2.bias.grad, block.conv2.weight.grad, block.conv1.weight.grad]
    assert all(grad is not None and not grad.any() for grad in grads)


def test_unknown_names_are_refused_before_anything_starts() -> None:
    assert "init: unknown name 'xaver' (did you mean 'xavier'?)" in refused(
        lambda: require_start("conv4", init="xaver")
    )
    said = refused(lambda: require_start("torchvision:resnet51", field="peer"))
    assert said.startswith(
        "peer: 'torchvision:resnet51' is no classifier of torchvision (did you mean 'torchvision:res"
    )


@pytest.mark.parametrize("name", ["resnet8", "mobilenetv2", "squeezenet1_1", "torchvision:mobilenet_v3_small"])
def test_dropout_drops_what_the_last_layer_reads_in_training_alone(name: str) -> None:
    """The weights' names, their values and the logits in eval mode stay."""
    plain, module = started(name), started(name, dropout=0.5)
    assert equal(tensors(module), tensors(plain))
    last = [part for part in module.modules() if isinstance(part, nn.Conv2d | nn.Linear)][-1]
    seen: list[Tensor] = []
    last.register_forward_hook(lambda _m, given, _out: seen.append(given[0].detach()))
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(module.eval()(images), plain.eval()(images))
        module.train()(images)
    kept, dropped = seen
    assert dropped.eq(0).float().mean() > kept.eq(0).float().mean() + 0.1


def test_dropout_is_of_the_given_share_and_keeps_the_mean() -> None:
    module = started("resnet8", dropout=0.25)
    features: list[Tensor] = []
    module.get_submodule("classifier").register_forward_hook(lambda _m, given, _out: features.append(given[0].detach()))
    module.get_submodule("embedding").register_forward_hook(lambda _m, _i, out: torch.ones(out.shape))
    module.train()(torch.rand(500, 3, 8, 8))
    assert features[0].unique().tolist() == pytest.approx([0, 1 / 0.75])
    assert features[0].eq(0).float().mean().item() == pytest.approx(0.25, abs=0.01)


def test_dropout_needs_a_layer_to_drop_before() -> None:
    said = refused(lambda: start(nn.Sequential(nn.Flatten()), "mine:net", dropout=0.5))
    assert said == "dropout: mine:net has no linear or convolutional layer to drop before; must be 0"
