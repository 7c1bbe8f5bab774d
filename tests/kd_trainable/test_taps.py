"""Which features are compared: by rule, or as a person names them; and each term of a method with what is its own."""

from __future__ import annotations

import pytest

from kd_trainable.spec import RunSpec
from kd_trainable.taps import Pair, pairs, parse
from kd_trainable.terms import hyperparameters_of, softened
from kd_trainable.vocabulary import InputError


def refused(term: str, *networks: str, taps: tuple[str, ...] = ()) -> str:
    with pytest.raises(InputError) as caught:
        pairs(term, taps, *networks)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_stages_are_paired_from_the_last() -> None:
    """ResNet-18 has four stages and resnet20 three: the deepest meet."""
    found = pairs("at", (), "resnet20", "resnet18")
    assert found == [Pair("stage1", "stage2"), Pair("stage2", "stage3"), Pair("stage3", "stage4")]
    assert pairs("at", (), "resnet18", "resnet20") == [
        Pair("stage2", "stage1"), Pair("stage3", "stage2"), Pair("stage4", "stage3"),
    ]  # fmt: skip


def test_one_stage_where_one_is_compared() -> None:
    assert pairs("fitnets", (), "resnet20", "wrn_16_2") == [Pair("stage2", "stage2")]
    assert pairs("sp", (), "resnet20", "resnet18") == [Pair("stage3", "stage4")]
    assert pairs("rkd", (), "conv5x5", "vgg16") == [Pair("embedding", "embedding")]


def test_before_relu_names_the_teachers_batch_norm() -> None:
    (*_, last) = pairs("ofd", (), "resnet20", "resnet18")
    assert last.student.endswith("/input")
    assert last.norm


def test_logits_need_no_taps() -> None:
    assert pairs("kd", ("stage1",), "resnet20", "resnet18") == []


def test_a_persons_own_pairs_come_first() -> None:
    taps = ("stage1:stage2", "pkt=classifier", "ofd=a/input:b/input:c")
    assert pairs("at", taps, "resnet20", "resnet18") == [Pair("stage1", "stage2")]
    assert pairs("pkt", taps, "resnet20", "resnet18") == [Pair("classifier", "classifier")]
    assert pairs("ofd", taps, "resnet20", "resnet18") == [Pair("a/input", "b/input", "c")]
    assert pairs("mine.module:loss", ("mine.module:loss=a:b",), "x:y", "resnet18") == [Pair("a", "b")]


def test_what_has_no_features_is_refused_by_name() -> None:
    assert "at compares every stage" in refused("at", "digits_mlp", "resnet18")
    assert "digits_mlp has none (its taps: embedding)" in refused("at", "digits_mlp", "resnet18")
    assert refused("ofd", "digits_mlp", "resnet18").startswith("method: ofd compares")
    line = refused("at", "mine:network", "resnet18")
    assert line == "taps: none given for mine:network, which method at needs; give STUDENT:TEACHER module paths"


@pytest.mark.parametrize("text", ["", "a:", ":b", "=a", "at=", "a:b:c:d"])
def test_what_no_path_could_be(text: str) -> None:
    with pytest.raises(InputError, match=r"taps: .* is not allowed; must be \[METHOD=\]STUDENT"):
        parse(text)


@pytest.mark.parametrize(
    ("method", "taps", "said"),
    [
        ("at", ["stage3:stage2", "stage3"], "taps: 'stage3' is not allowed; stage3 of the student is compared already"),
        ("kd+at", ["kd=stage3"], "taps: 'kd=stage3' is not allowed; method kd compares no features"),
        ("dml+at", ["dml=stage3"], "taps: 'dml=stage3' is not allowed; method dml compares no features"),
    ],
)
def test_taps_that_would_not_be_compared_as_they_read(method: str, taps: list[str], said: str) -> None:
    with pytest.raises(InputError) as caught:
        RunSpec(method=method, taps=taps)
    assert str(caught.value) == said


def test_each_term_has_its_own_weight_and_hyperparameters() -> None:
    spec = RunSpec(method="kd+at+rkd", hyperparameters={"at.weight": 500, "rkd.angle": 1}, alpha=0.5, temperature=2)
    assert [spec.term_weight(term, 0) for term in spec.terms] == [2.0, 500.0, 1.0]
    assert hyperparameters_of("rkd", spec.hyperparameters) == {"weight": 1.0, "distance": 25.0, "angle": 1.0}
    assert spec.weights(0) == (0.5, 2.0)
    assert (spec.taught, spec.live, spec.mutual) == (True, True, False)


def test_without_a_softened_term_the_labels_keep_their_whole_weight() -> None:
    spec = RunSpec(method="at+dml", alpha=0.5)
    assert spec.weights(0) == (1.0, 0.0)
    assert not any(softened(term) for term in spec.terms)
    assert (spec.taught, spec.live, spec.mutual) == (True, True, True)
    assert not RunSpec(method="dml").taught
    assert not RunSpec(method="kd+l2").live
