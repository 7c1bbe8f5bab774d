"""Picture files (PNG, JPEG and other formats of Pillow's), decoded into one array."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

from kd_trainable.vocabulary import InputError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".pgm", ".ppm", ".tif", ".tiff", ".webp")
# Pillow's decoders of these. It knows a file by its content, and would hand a PostScript called .png to Ghostscript.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "PPM", "TIFF", "WEBP")
LARGEST = 64  # pixels a side: a data set lies in memory whole
MOST_PIXELS = 1 << 26  # of a picture that is scaled down; a few bytes may unpack to any number
_GREY = ("1", "L", "LA")
_COLOUR = ("P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")


def is_picture(path: Path) -> bool:
    """Whether a file's name says that it is a picture; hidden files are none."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def read_pictures(paths: Sequence[Path], side: int = 0) -> UInt8[np.ndarray, "N C H W"]:
    """The pictures in order: one channel if all of them are grey, else RGB; transparency is left out.

    ``side`` scales each so that its shorter side has as many pixels (bilinear, antialiased) and takes the square in
    its middle; 0 takes them as they are, and then all must have one size, at most 64 x 64. Raises InputError, naming
    the first file that cannot be read or does not fit.
    """
    first = _decoded(paths[0], side)
    height, width = first.shape[:2]
    images = np.empty((len(paths), 3, height, width), np.uint8)  # takes memory only as it is written to

    def put(row: int) -> bool:
        """Whether the picture is grey."""
        pixels = _decoded(paths[row], side)
        if pixels.shape[:2] != (height, width):
            found, wanted = (f"{w} x {h}" for h, w in (pixels.shape[:2], (height, width)))
            raise InputError(f"data_dir: {paths[row]} is {found} pixels; must be {wanted}, as {paths[0]} is")
        images[row] = pixels if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
        return pixels.ndim == 2

    # Pillow decodes without Python's lock, so threads help.
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        grey = list(pool.map(put, range(len(paths))))
    return np.ascontiguousarray(images[:, :1]) if all(grey) else images


def _decoded(path: Path, side: int) -> UInt8[np.ndarray, "..."]:
    """[H, W] of a grey picture, [H, W, 3] of another."""
    try:
        with Image.open(path, formats=FORMATS) as picture:
            if not side and max(picture.size) > LARGEST:
                raise InputError(
                    f"data_dir: {path} is {picture.width} x {picture.height} pixels; allowed: up to "
                    f"{LARGEST} x {LARGEST}, or a data set that scales: folder32, folder64, image_list32, image_list64"
                )
            if picture.width * picture.height > MOST_PIXELS:
                raise InputError(
                    f"data_dir: {path} is {picture.width} x {picture.height} pixels; allowed: {MOST_PIXELS} in all"
                )
            if picture.mode not in _GREY + _COLOUR:
                raise InputError(f"data_dir: {path} has pixels of mode {picture.mode}; allowed: 8 bits a channel")
            # A palette may hold transparency, which Pillow drops in silence only on the way from RGBA.
            opened = picture.convert("RGBA") if picture.mode in ("P", "PA") else picture
            plain = opened.convert("L" if picture.mode in _GREY else "RGB")
    except InputError:
        raise
    except Exception as error:  # Pillow's formats raise what they like for damaged files
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"data_dir: {path} cannot be read as a picture ({reason})") from None
    return np.asarray(ImageOps.fit(plain, (side, side), Image.Resampling.BILINEAR) if side else plain)
