"""The deterministic stream: which image comes when, in which view, with which box erased, square cut or partner mixed
in: a function of (data seed, epoch, index) alone, whatever the batch, the device or the pack.

numpy promises the raw bits of PCG64 and SeedSequence for ever, on every machine, and the numbers that its Generator
makes of them not (NEP 19): so everything here is made from raw bits, with integer arithmetic, or with such steps of
floats as IEEE 754 rounds alike everywhere. What no standard rounds, exp and Beta's quantiles, is read from a table of
rounded values, which another library's last bit does not reach.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, Float32, Int64, UInt64

STREAM_VERSION = 1  # raised when a change alters any number below: kept logits of another version are not found

# What the bits are for; a new use takes a new number, so that it disturbs none of the others.
_ORDER, _VIEWS, _ERASED, _CUT, _MIX = range(5)

ERASED_AREA = (0.02, 0.33)  # of the image's
ERASED_ASPECT = (0.3, 3.3)  # height / width
_TRIES = 10
_ASPECT_BITS, _SHARE_BITS = 12, 15
_SHARE_LEVELS = 1 << 16
_CONCENTRATIONS = (1e-12, 1e12)  # beyond them shares are the same: 0 or 1, and 1/2, to 16 bits


def epoch_order(data_seed: int, epoch: int, images: int) -> Int64[np.ndarray, " N"]:
    """The permutation of 0..N-1 in which the epoch visits the images. Seed and epoch are not negative."""
    return np.argsort(_bits(_ORDER, data_seed, epoch, images), kind="stable").astype(np.int64, copy=False)


def epoch_views(data_seed: int, epoch: int, images: int, views: int) -> Int64[np.ndarray, " N"]:
    """Entry i is the view, 0..views-1, in which the epoch shows image i, whenever it comes.

    Uniform to within views / 2^64, the excess of the low residues of a 64-bit number.
    """
    return (_bits(_VIEWS, data_seed, epoch, images) % np.uint64(views)).astype(np.int64)


def epoch_boxes(
    data_seed: int, epoch: int, images: int, share: float, height: int, width: int
) -> Int64[np.ndarray, "N 4"]:
    """The box erased from each image of height x width: (top, left, height, width) in pixels; of height 0: none.

    Random erasing (Zhong et al. 2017, arXiv:1708.04896, algorithm 1) in torchvision's numbers: with probability
    ``share``, a box of 2..33 % of the area (the paper: up to 40 %), height / width log-uniform in 0.3..3.3 (the
    authors' code: uniform), the first of 10 tries that is lower and narrower than the image, at a uniform place.
    A try that rounds to no pixel is tried again, which matters below 42 pixels. Places are uniform to within
    side / 2^16.
    """
    bits = _bits(_ERASED, data_seed, epoch, images * (1 + _TRIES)).reshape(images, 1 + _TRIES)
    erased = (bits[:, 0] >> 11) * 2.0**-53 < share
    tries = _tries(bits[erased, 1:], height, width)
    fits = _inside(tries[..., 2], height) & _inside(tries[..., 3], width)
    first = tries[np.arange(len(tries)), fits.argmax(1)]
    boxes = np.zeros((images, 4), np.int64)
    boxes[erased] = first * fits.any(1)[:, None]
    return boxes


def epoch_squares(
    data_seed: int, epoch: int, images: int, side: int, height: int, width: int
) -> Int64[np.ndarray, "N 4"]:
    """The square cut from each image, as ``epoch_boxes`` gives them; less than ``side`` at the borders.

    Cutout (DeVries and Taylor 2017, arXiv:1708.04552, section 3): its centre is a uniform pixel, and what lies outside
    the image is clipped. An odd side is kept, where the authors' code takes the even one below it.
    """
    bits = _bits(_CUT, data_seed, epoch, images)
    spans = [_span(bits >> 32, side, height), _span(bits & 0xFFFFFFFF, side, width)]
    (top, bottom), (left, right) = spans
    return np.stack([top, left, bottom - top, right - left], axis=1)


def epoch_mix(
    data_seed: int, epoch: int, images: int, concentration: float
) -> tuple[Int64[np.ndarray, " N"], Float32[np.ndarray, " N"]]:
    """For each image the index of the image that is mixed in, and its own share, of Beta(a, a), in 1/65536.

    Mixup (Zhang et al. 2018, arXiv:1710.09412, section 2). The partner is any image of the training split, now and
    then the image itself, and every image has a share of its own: the authors' code permutes within a batch and draws
    one share for all of it, and so depends on the batch.
    """
    bits = _bits(_MIX, data_seed, epoch, images * 2).reshape(images, 2)
    partners = (bits[:, 0] % np.uint64(images)).astype(np.int64)
    return partners, _quantiles(concentration)[bits[:, 1] >> 64 - _SHARE_BITS]


def _bits(purpose: int, data_seed: int, epoch: int, count: int) -> UInt64[np.ndarray, " N"]:
    entropy = np.random.SeedSequence([STREAM_VERSION, purpose, data_seed, epoch])
    return np.random.PCG64(entropy).random_raw(count)


def _tries(bits: UInt64[np.ndarray, "N R"], height: int, width: int) -> Int64[np.ndarray, "N R 4"]:
    """A box of every 64 bits: 20 for its area, 12 for its aspect, 16 each for top and left. It may not fit."""
    smallest, largest = ERASED_AREA
    area = height * width * (smallest + (largest - smallest) * ((bits >> 44) * 2.0**-20))
    aspect = _aspects()[bits >> 32 & 0xFFF]
    tall = np.rint(np.sqrt(area * aspect)).astype(np.int64)
    wide = np.rint(np.sqrt(area / aspect)).astype(np.int64)
    down, across = ((bits >> shift & 0xFFFF).astype(np.int64) for shift in (16, 0))
    return np.stack([down * (height - tall + 1) >> 16, across * (width - wide + 1) >> 16, tall, wide], axis=-1)


def _inside(sides: Int64[np.ndarray, "N R"], whole: int) -> Bool[np.ndarray, "N R"]:
    return (sides >= 1) & (sides < whole)


def _span(
    bits: UInt64[np.ndarray, " N"], side: int, whole: int
) -> tuple[Int64[np.ndarray, " N"], Int64[np.ndarray, " N"]]:
    """Where a stretch of ``side`` begins and ends, about the pixel that 32 bits choose of ``whole``; clipped."""
    start = (bits * np.uint64(whole) >> 32).astype(np.int64) - side // 2
    return np.maximum(start, 0), np.minimum(start + side, whole)


@lru_cache(maxsize=1)
def _aspects() -> Float[np.ndarray, " A"]:
    """Log-uniform, to 1/65536."""
    low, high = np.log(ERASED_ASPECT)
    middles = (np.arange(1 << _ASPECT_BITS) + 0.5) / (1 << _ASPECT_BITS)
    return np.rint(np.exp(low + (high - low) * middles) * 65536) / 65536


@lru_cache(maxsize=8)
def _quantiles(concentration: float) -> Float32[np.ndarray, " Q"]:
    """Beta(a, a) at the middles of 2^15 equal shares of probability, to 1/65536, which float32 holds exactly.

    Twice as fine as the middles, so that of Beta(1, 1), which is uniform, none lies between two roundings.
    """
    from scipy.special import betaincinv  # only here, since it takes 0.2 s to import

    middles = (np.arange(1 << _SHARE_BITS) + 0.5) / (1 << _SHARE_BITS)
    a = np.clip(concentration, *_CONCENTRATIONS)
    return (np.rint(betaincinv(a, a, middles) * _SHARE_LEVELS) / _SHARE_LEVELS).astype(np.float32)
