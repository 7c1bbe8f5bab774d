"""How a network starts: first weights, zero-gamma, pretrained weights, and what is dropped before its last layer."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from textwrap import shorten
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kd_trainable.models import MODELS
from kd_trainable.models.build import skeleton
from kd_trainable.resolve import TORCHVISION
from kd_trainable.rules import INITS, refuse
from kd_trainable.vocabulary import InputError, require_known

INITIALISERS: dict[str, Callable[[Tensor], Tensor]] = {
    # Glorot & Bengio 2010, equation 16, as in the bag of tricks (He et al. 2019, arXiv:1812.01187, section 2.1)
    "xavier": nn.init.xavier_uniform_,
    # He et al. 2015, arXiv:1502.01852, equation 10: normal, variance 2 / fan-in
    "kaiming": partial(nn.init.kaiming_normal_, nonlinearity="relu"),
}
RESIDUAL = {"torchvision.models.resnet.BasicBlock": "bn2", "torchvision.models.resnet.Bottleneck": "bn3"}
INVERTED = ("torchvision.models.mobilenetv2.InvertedResidual", "torchvision.models.mobilenetv3.InvertedResidual")
# The densenets' files were written when a module's name could hold a dot; torchvision reads them so too.
OLD_NAME = re.compile(r"^(.*denselayer\d+\.(?:norm|conv))\.([12]\..*)$")


def start(
    module: nn.Module,
    name: str,
    *,
    init: str = "default",
    pretrained: bool = False,
    zero_gamma: bool = False,
    dropout: float = 0.0,
) -> None:
    """Sets ``module``, the network ``name`` as it was built, to where a run starts. Draws from torch's generator.

    ``init``: convolution and linear weights anew, biases 0; ``default`` leaves them. ``zero_gamma``: the weight of the
    last batch norm of every residual block is 0 (bag of tricks, section 3.1; Goyal et al. 2017, arXiv:1706.02677,
    section 5.1), so that each begins as its shortcut. ``pretrained``: torchvision's weights in every tensor whose name
    and shape fit, over all of the above: the last layer starts anew where the classes are others. ``dropout``: the
    share of what the last layer reads that is dropped in training mode; names of the weights stay as they are.
    Raises InputError for what this network cannot have, and for weights that cannot be had.
    """
    require_known("init", init, INITS)
    if init != "default":
        _initialise(module, INITIALISERS[init])
    if zero_gamma:
        for norm in _last_norms(module, name):
            nn.init.zeros_(norm.get_parameter("weight"))
    if pretrained:
        _load(module, name)
    if dropout:
        _last_layer(module, name).register_forward_pre_hook(partial(_dropped, dropout))


def require_start(
    name: str,
    *,
    init: str = "default",
    pretrained: bool = False,
    zero_gamma: bool = False,
    dropout: float = 0.0,
    field: str = "student",
) -> None:
    """Raises InputError unless the network ``name`` can start so; downloads nothing."""
    require_known("init", init, INITS)
    if name.startswith(TORCHVISION):
        from kd_trainable.models.library import require_classifier  # importing torchvision takes a second

        require_classifier(field, name)
    if pretrained:
        _weights(name)
    if zero_gamma:
        _last_norms(_skeleton(name, field), name)
    if dropout:
        _last_layer(_skeleton(name, field), name)


def _initialise(module: nn.Module, initialise: Callable[[Tensor], Tensor]) -> None:
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            initialise(part.weight)
            if part.bias is not None:
                nn.init.zeros_(part.bias)


def _last_norms(module: nn.Module, name: str) -> list[nn.Module]:
    """The last batch norm of every residual block. Raises InputError where there is none, or none that may be 0."""
    if any(getattr(part, "pre_activation", None) is True for part in module.modules()):
        why = "end in a convolution: their last batch norm feeds a ReLU, which has no gradient at 0, and would stay 0"
        raise refuse("zero_gamma", "true", f"the blocks of {name} {why}")
    norms = [norm for part in module.modules() if (norm := _last_norm(part)) is not None]
    if not norms:
        raise refuse("zero_gamma", "true", f"{name} has no residual block known to end in a batch norm")
    return norms


def _last_norm(part: nn.Module) -> nn.Module | None:
    kind = f"{type(part).__module__}.{type(part).__qualname__}"
    if kind in INVERTED:  # without a shortcut the block would begin as nothing
        norms = [inner for inner in part.modules() if isinstance(inner, nn.BatchNorm2d)]
        return norms[-1] if part.use_res_connect else None
    path = getattr(part, "last_norm", RESIDUAL.get(kind))
    return part.get_submodule(path) if isinstance(path, str) else None


def _skeleton(name: str, field: str) -> nn.Module:
    return skeleton(name, 10, MODELS[name].shape[0] if name in MODELS else 3, field)


def _weights(name: str) -> Any:
    """The member of torchvision's WeightsEnum that fits the network. Raises InputError where there is none."""
    known = [own for own, entry in MODELS.items() if entry.weights]
    if not name.startswith(TORCHVISION) and name not in known:
        have = f"those that have: {', '.join(known)}, and {TORCHVISION}NAME"
        raise refuse("pretrained", "true", f"torchvision has no weights for {name}; {have}")
    import torchvision.models

    from kd_trainable.models.library import default_weights

    return torchvision.models.get_weight(MODELS[name].weights) if name in known else default_weights(name)


def fetch(name: str) -> None:
    """Has the pretrained weights of the network ``name`` in torch.hub's folder. Raises InputError if it cannot."""
    _fetched(_weights(name))


def to_fetch(name: str) -> str:
    """Where the pretrained weights of ``name`` would be downloaded from; '' where torch.hub's folder holds them."""
    weights = _weights(name)
    return "" if _place(weights).is_file() else str(weights.url)


def _place(weights: Any) -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints" / str(weights.url).rpartition("/")[2]


def _load(module: nn.Module, name: str) -> None:
    weights, own = _weights(name), module.state_dict()
    given = {OLD_NAME.sub(r"\1\2", key): tensor for key, tensor in _fetched(weights).items()}
    for key, _ in module.named_parameters():
        if key not in given:
            raise InputError(f"pretrained: {weights!r} has no {key}, which {name} has: they are another network's")
    fitting = [key for key, tensor in own.items() if key in given and given[key].shape == tensor.shape]
    if not fitting:
        raise InputError(f"pretrained: no tensor of {weights!r} has the shape that {name} needs")
    for key in fitting:
        own[key].copy_(given[key])  # the module's own memory


def _fetched(weights: Any) -> Mapping[str, Tensor]:
    """The tensors by name, from torch.hub's folder or, once, from the network; torchvision checks what it downloads."""
    try:
        found: Mapping[str, Tensor] = weights.get_state_dict(
            progress=False, check_hash=True, map_location="cpu", weights_only=True
        )
    except Exception as error:  # no connection, a full disk, a file cut short
        reason = shorten(f"{type(error).__name__}: {error}", 160, placeholder=" ...")
        raise InputError(
            f"pretrained: {weights!r} cannot be had ({reason}); needs {weights.url} or {_place(weights)}"
        ) from None
    return found


def _last_layer(module: nn.Module, name: str) -> nn.Module:
    head = dict(module.named_children()).get("classifier", module)
    layers = [part for part in head.modules() if isinstance(part, nn.Conv2d | nn.Linear)]
    if not layers:
        raise InputError(f"dropout: {name} has no linear or convolutional layer to drop before; must be 0")
    return layers[-1]


def _dropped(rate: float, layer: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
    return (F.dropout(given[0], rate, layer.training), *given[1:])
