"""The teacher's logits, kept: immutable float16 shards, one forward each, shared by every run on the same stream.

A frozen teacher's logits for the pixels of (seed, epoch) do not depend on T, alpha, mode, lr or searcher. So they are
computed once: a shard per (seed, epoch), or, when more passes are needed than the augmentation has views, a shard
per view: the full table, after which no pass is ever needed again. With erasing, cutout or mixup an image has no end
of looks, and there is no table.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import torch
from jaxtyping import Float16
from torch import Tensor, nn

from kd_trainable.data import VIEWS
from kd_trainable.data.inputs import Inputs, shared_tensor
from kd_trainable.data.pixels import Looks
from kd_trainable.data.stream import STREAM_VERSION, epoch_views
from kd_trainable.shards import Shard, shards_of
from kd_trainable.teacher import Card
from kd_trainable.vocabulary import Pixels

LOGITS_VERSION = 1
FORWARD_BATCH = {"cpu": 125, "cuda": 1000}  # fixed, so that an entry does not depend on who asked for it
LARGEST = float(np.finfo(np.float16).max)


def folder_name(card: Card, data_fingerprint: str, protocol: str, pixels: Pixels) -> str:
    """Where shards of this teacher, data, split, normalisation, augmentation and stream lie; others never match.

    What is off is left out, so that plain augmentations are named as they were before there was anything else.
    """
    key = {
        "teacher": card.fingerprint,
        "architecture": card.architecture,
        "pixels": [card.mean, card.std],
        "data": data_fingerprint,
        "protocol": protocol,
        **{name: value for name, value in pixels._asdict().items() if value},
        "versions": [LOGITS_VERSION, STREAM_VERSION],
    }
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]


@torch.inference_mode()
def compute(
    teacher: nn.Module, inputs: Inputs, pixels: Pixels, shard: Shard, beat: Callable[[], None] = lambda: None
) -> Float16[np.ndarray, "N K"]:
    """One pass of the teacher over its shard's images, in float32. ``inputs`` has the teacher's normalisation.

    ``beat`` is called at every batch. Raises ValueError for logits that float16 cannot hold.
    """
    rows = []
    for batch in _seen(shard, inputs, pixels):
        rows.append(teacher(batch).float())
        beat()
    logits = torch.cat(rows)
    if not bool((logits.abs() <= LARGEST).all()):
        raise ValueError(f"the teacher's logits are not finite or exceed float16's {LARGEST:g}")
    return logits.half().cpu().numpy()


def _seen(shard: Shard, inputs: Inputs, pixels: Pixels) -> Iterator[Tensor]:
    if shard.test:
        for indices in _batches(len(inputs.test_images), inputs.device):
            yield inputs.as_input(inputs.test_images[indices])
        return
    looks = _looks(shard, inputs, pixels)
    for indices in _batches(len(inputs.train), inputs.device):
        yield inputs.training_pixels(indices, looks)


def _looks(shard: Shard, inputs: Inputs, pixels: Pixels) -> Looks:
    if shard.view >= 0:
        return Looks.of_view(shard.view, inputs, pixels)
    return Looks.of(shard.seed, shard.epoch, inputs, pixels)


def _batches(images: int, device: torch.device) -> Iterator[Tensor]:
    size = FORWARD_BATCH.get(device.type, 125)
    for start in range(0, images, size):
        yield torch.arange(start, min(start + size, images), device=device)


def of_epoch(
    shards: Mapping[Shard, Float16[np.ndarray, "N K"]], seed: int, epoch: int, pixels: Pixels, table: bool
) -> Float16[Tensor, "N K"]:
    """The logits of every image as it looks in (seed, epoch): a shard, or gathered from the table of views."""
    wanted = shards_of(seed, epoch, pixels, table)
    if len(wanted) == 1:
        return shared_tensor(shards[wanted[0]])
    images, classes = shards[wanted[0]].shape
    views = epoch_views(seed, epoch, images, VIEWS[pixels.augment])
    logits = np.empty((images, classes), np.float16)
    for shard in wanted:
        here = views == shard.view
        logits[here] = shards[shard][here]
    return torch.from_numpy(logits)


@torch.inference_mode()
def disagreement(
    teacher: nn.Module,
    inputs: Inputs,
    pixels: Pixels,
    shard: Shard,
    kept: Float16[np.ndarray, "N K"],
    samples: int = 16,
) -> float:
    """Largest difference between sampled kept entries and a live forward, in units of float16's rounding.

    Infinite for a shard of another number of images or classes.

    Near zero, where float16 is finer than a float32 forward is exact, the unit is that of 1/64 of the largest logit.
    """
    if kept.shape != (len(inputs.train), inputs.classes):
        return float("inf")
    indices = torch.arange(0, len(kept), max(1, len(kept) // samples), device=inputs.device)
    looks = _looks(shard, inputs, pixels)
    live = teacher(inputs.training_pixels(indices, looks)).float().cpu().numpy()
    stored = kept[indices.cpu().numpy()].astype(np.float32)
    scale = np.maximum(np.abs(live), np.abs(live).max() / 64)
    rounding = np.spacing(scale.astype(np.float16)).astype(np.float32)
    return float(np.max(np.abs(live - stored) / rounding))
