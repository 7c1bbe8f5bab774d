"""Data sets are what the table pins, or refused in one line that says what is allowed."""

from __future__ import annotations

import hashlib
import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kd_trainable.data import DATASETS
from kd_trainable.data.images import ImageData
from kd_trainable.data.load import load
from kd_trainable.resolve import resolve
from kd_trainable.vocabulary import InputError


def small(**changes: Any) -> ImageData:
    pixels = np.arange(2 * 3 * 4 * 4, dtype=np.uint8).reshape(2, 3, 4, 4)
    fields: dict[str, Any] = {
        "name": "small",
        "train_images": pixels,
        "train_labels": np.array([0, 1]),
        "test_images": pixels[:1],
        "test_labels": np.array([1]),
        "classes": ("cat", "dog"),
        "normalizations": {"dataset": ((0.5,) * 3, (0.2,) * 3)},
        "provenance": {},
    }
    return ImageData(**{**fields, **changes})


def one_line(caught: pytest.ExceptionInfo[InputError], *said: str) -> None:
    line = str(caught.value)
    assert "\n" not in line
    for words in said:
        assert words in line


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"train_images": np.zeros((2, 3, 4, 4), np.float32)}, "train_images are float32 (2, 3, 4, 4); allowed: uint8"),
        ({"train_images": np.zeros((2, 4, 4), np.uint8)}, "train_images are uint8 (2, 4, 4)"),
        ({"test_images": np.zeros((0, 3, 4, 4), np.uint8)}, "test_images are uint8 (0, 3, 4, 4)"),
        ({"test_images": np.zeros((1, 1, 4, 4), np.uint8)}, "test_images are (1, 4, 4) each; allowed: (3, 4, 4)"),
        ({"train_labels": np.zeros(3, np.int64)}, "train_labels are int64 (3,); allowed: int64 [2]"),
        ({"test_labels": np.zeros(1, np.int32)}, "test_labels are int32 (1,)"),
        ({"train_labels": np.array([0, 2])}, "train_labels lie in 0..2; allowed: 0..1"),
        ({"test_labels": np.array([-1])}, "test_labels lie in -1..-1"),
        ({"normalizations": {"n": ((0.5,), (0.2,))}}, "normalization 'n'"),
        ({"normalizations": {"n": ((0.5,) * 3, (0.2, 0.0, 0.2))}}, "normalization 'n'"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        small(**changes)
    one_line(caught, "dataset: small: ", said)


def test_fingerprint_is_of_the_arrays_alone() -> None:
    pixels = small().train_images
    assert small(name="other", normalizations={}).fingerprint() == small().fingerprint()
    assert small(train_images=np.asfortranarray(pixels)).fingerprint() == small().fingerprint()
    changed = [
        {"train_images": pixels ^ (np.arange(96) == 95).reshape(pixels.shape).astype(np.uint8)},
        {"test_images": pixels[1:]},
        {"train_labels": np.array([1, 0])},
        {"test_labels": np.array([0])},
        {"train_images": pixels.reshape(2, 3, 2, 8), "test_images": pixels[:1].reshape(1, 3, 2, 8)},
    ]
    assert len({small(**change).fingerprint() for change in [{}, *changed]}) == 6


def test_fingerprint_is_the_documented_hash() -> None:
    digest = hashlib.sha256()
    for array, head in [
        (small().train_images, "|u1(2, 3, 4, 4)"),
        (small().train_labels, "<i8(2,)"),
        (small().test_images, "|u1(1, 3, 4, 4)"),
        (small().test_labels, "<i8(1,)"),
    ]:
        digest.update(head.encode() + array.tobytes())
    assert small().fingerprint() == digest.hexdigest()


def test_table_of_data_sets() -> None:
    assert [*DATASETS] == sorted(DATASETS)
    assert {name for name, entry in DATASETS.items() if entry.fingerprint} == {"cifar10", "digits", "emnist_letters"}
    for name, entry in DATASETS.items():
        assert callable(resolve("dataset", name, DATASETS, "a loader"))
        if entry.fingerprint or entry.normalizations:
            assert "dataset" in entry.normalizations
        assert all(len(mean) == len(std) == entry.shape[0] for mean, std in entry.normalizations.values())
        known = (all(entry.shape), *map(bool, (entry.classes, entry.train_images, entry.test_images)))
        assert len(set(known)) == 1, f"{name} states some of shape, classes and counts, and not others"


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ({"shape": (1, 8, 9)}, "images of (C, H, W): (1, 8, 8) loaded; must be (1, 8, 9)"),
        ({"classes": 9}, "classes: 10 loaded; must be 9"),
        ({"test_images": 361}, "test images: 360 loaded; must be 361"),
        ({"fingerprint": "0" * 64}, "have fingerprint ed44642ab3b16ada"),
    ],
)
def test_what_the_table_states_is_checked(stated: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DATASETS, "digits", DATASETS["digits"]._replace(fingerprint=""))
    assert load("digits").name == "digits"
    monkeypatch.setitem(DATASETS, "digits", DATASETS["digits"]._replace(**stated))
    with pytest.raises(InputError) as caught:
        load("digits")
    one_line(caught, "dataset: digits: ", said)


def test_digits_are_what_the_table_says() -> None:
    """load() compares the fingerprint; the other columns of the table are measured here."""
    entry, data = DATASETS["digits"], load("digits")
    assert data.train_images.shape == (entry.train_images, *entry.shape)
    assert data.test_images.shape == (entry.test_images, *entry.shape)
    assert len(data.classes) == entry.classes
    assert np.bincount(data.train_labels).min() > 100
    assert data.train_images.max() == 255
    pixels = data.train_images / 255
    (mean,), (std,) = entry.normalizations["dataset"]
    assert pixels.mean() == pytest.approx(mean, abs=5e-5)
    assert pixels.std() == pytest.approx(std, abs=5e-5)
    assert data.provenance["source"] == "sklearn.datasets.load_digits"


OWN = """
from kd_trainable.data.digits import digits

def mine(data_dir=None):
    assert data_dir == "somewhere"
    return digits()

def takes_nothing():
    return digits()

def gives_nothing(download):
    return None

def needs_more(path):
    return digits()
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_data.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()


@pytest.mark.usefixtures("own")
def test_own_data_by_name() -> None:
    assert load("own_data:mine", data_dir="somewhere").fingerprint() == DATASETS["digits"].fingerprint
    assert load("own_data:takes_nothing").name == "digits"


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "digit",
            "unknown name 'digit' (did you mean 'digits'?); allowed: cifar10, cifar100, digits, ",
        ),
        ("no_such_module:data", "cannot import 'no_such_module'"),
        ("own_data:absent", "has no 'absent'"),
        ("own_data:OWN.x", "has no 'OWN.x'"),
        ("own_data:__name__", "is str, not callable"),
        ("own_data:gives_nothing", "returned NoneType; allowed: a callable that returns an ImageData"),
        ("own_data:needs_more", "missing a required argument: 'path'"),
    ],
)
def test_bad_data_name_gets_one_clear_line(name: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        load(name)
    one_line(caught, "dataset: ", repr(name), said)
