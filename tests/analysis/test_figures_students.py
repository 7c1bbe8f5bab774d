"""What was tried, what it costs, and what it has from its teacher."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hand_made import baseline, run, runs_frame
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from analysis.plots.agreement import agreement
from analysis.plots.parallel import parallel_coordinates
from analysis.plots.pareto import pareto

COSTS = {"cnn2": (12_000, 0.0001), "resnet8": (78_000, 0.0003), "resnet20": (272_000, 0.0006), "vgg8": (4e6, 0.0003)}


def students(test: dict[str, float], device: str = "NVIDIA H200", **fields: Any) -> list[dict[str, Any]]:
    """A distilled cell and a baseline a point below, two seeds, of each student."""
    rows = []
    for name, value in test.items():
        size, latency = COSTS[name]
        same = {"student": name, "parameters": size, "latency_seconds": latency, "device": device, **fields}
        for seed in (0, 1):
            rows += [run(value, value, seed=seed, **same), baseline(value - 0.01, value - 0.01, seed=seed, **same)]
    return rows


def words(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def below(figure: Figure) -> str:
    return " ".join(figure.get_supxlabel().split())


def test_students_lie_at_their_size_and_latency_and_the_front_leaves_out_the_dominated() -> None:
    tests = {"cnn2": 0.6, "resnet8": 0.7, "resnet20": 0.68, "vgg8": 0.8}
    by_size, by_latency = pareto(runs_frame(students(tests))).axes
    assert (by_size.get_xlabel(), by_latency.get_xlabel()) == ("trainable parameters", "latency of one image (ms)")
    assert by_latency.get_title() == "on NVIDIA H200"
    assert {ax.get_xscale() for ax in (by_size, by_latency)} == {"log"}
    assert sorted(words(by_size)) == sorted(tests)
    (front,) = [line for line in by_size.lines if line.get_drawstyle() == "steps-post"]
    assert list(front.get_xdata()) == [12_000, 78_000, 4e6]
    assert list(front.get_ydata()) == pytest.approx([60, 70, 80])
    (front,) = [line for line in by_latency.lines if line.get_drawstyle() == "steps-post"]
    assert list(front.get_xdata()) == pytest.approx([0.1, 0.3])


def test_names_of_crowded_students_do_not_overlap() -> None:
    crowd = {f"network_of_a_long_name_{i}": 0.7 + i / 2000 for i in range(9)}
    for i, name in enumerate(crowd):
        COSTS[name] = (100_000 + 4000 * i, 0.0005)  # one above the other
    figure = pareto(runs_frame(students(crowd)))
    FigureCanvasAgg(figure).draw()
    for ax in figure.axes:
        boxes = [Text.get_window_extent(text) for text in ax.texts]  # of the words, without the line that leads to them
        assert len(boxes) == 9
        assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
        assert all(box.x0 >= ax.bbox.x0 and box.x1 <= ax.bbox.x1 for box in boxes)


def test_devices_and_data_sets_have_panels_of_their_own() -> None:
    rows = students({"cnn2": 0.6}) + students({"resnet8": 0.7}, device="cpu (AMD EPYC)", threads=1)
    titles = [ax.get_title() for ax in pareto(runs_frame(rows)).axes]
    assert titles == ["", "on NVIDIA H200", "on cpu (AMD EPYC), 1 thread"]
    rows = students({"cnn2": 0.6}) + students({"cnn2": 0.7}, dataset="cifar100")
    titles = [ax.get_title() for ax in pareto(runs_frame(rows)).axes]
    assert titles == ["cifar10", "cifar10, on NVIDIA H200", "cifar100", "cifar100, on NVIDIA H200"]


def test_without_a_latency_there_is_one_panel_and_it_says_so() -> None:
    figure = pareto(runs_frame(students({"cnn2": 0.6, "resnet8": 0.7}, latency_seconds=None)))
    assert len(figure.axes) == 1
    assert "Latency was not measured" in below(figure)
    with pytest.raises(ValueError, match="neither size nor latency"):
        pareto(runs_frame([run(0.8, 0.8)]))


def test_agreement_has_cells_and_baseline_at_their_means() -> None:
    rows = [run(0.80 + s / 100, 0.8, mode=m, seed=s, teacher_agreement=0.9) for m in ("kl", "mse") for s in (0, 2)]
    rows += [baseline(0.78, 0.7, seed=s, teacher_agreement=0.7 + s / 100) for s in (0, 2)]
    figure = agreement(runs_frame(rows))
    (ax,) = figure.axes
    at = {(line.get_marker(), *np.round(line.get_xydata()[0], 6)) for line in ax.lines}  # type: ignore[index]
    assert at == {
        ("*", 90.0, 81.0),
        ("o", 90.0, 81.0),
        ("s", 90.0, 81.0),
        ("s", 71.0, 78.0),
    }  # the star around its cell
    assert ax.get_xlabel() == "agreement with the teacher (% of the test images)"
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["kl", "mse", "baseline,\nnot distilled"]


def test_a_baseline_agrees_with_no_one_of_several_teachers() -> None:
    rows = [run(0.8, 0.8, teacher=name, teacher_agreement=0.9) for name in ("resnet18", "wrn_16_2")]
    figure = agreement(runs_frame([*rows, baseline(0.7, 0.7, teacher_agreement=0.6)]))
    assert all(line.get_xydata()[0][0] == 90.0 for line in figure.axes[0].lines)  # type: ignore[index]
    assert "several teachers" in below(figure)
    with pytest.raises(ValueError, match="has recorded its agreement"):
        agreement(runs_frame([run(0.8, 0.8), baseline(0.7, 0.7, teacher_agreement=0.6)]))


def test_every_swept_field_is_an_axis_with_its_values() -> None:
    rows = [run(0.6 + a / 10, 0.6 + a / 10, alpha=a, mode=m, lr=0.1) for a in (0.1, 0.5, 0.9) for m in ("kl", "mse")]
    rows += [run(0.5, 0.5, mode="logit_mse", temperature=None, alpha=0.5), baseline(0.62, 0.6)]
    figure = parallel_coordinates(runs_frame(rows))
    ax = figure.axes[0]
    assert {"mode", "alpha α", "kl", "mse", "logit_mse", "0.1", "0.5", "0.9", "baseline 62.00", "★"} <= set(words(ax))
    assert "lr" not in words(ax)
    paths = [line for line in ax.lines if len(line.get_xdata()) == 4]  # type: ignore[arg-type]
    assert len(paths) == 7
    assert [line.get_linewidth() for line in paths].count(3.5) == 1
    assert len({tuple(line.get_ydata()) for line in paths}) == 7, "lines lie over one another"  # type: ignore[arg-type]


def test_a_searcher_s_numbers_lie_on_scales_that_suit_them() -> None:
    rng = np.random.default_rng(0)
    rows = [
        run(
            0.8 + i / 1000,
            0.8,
            alpha=float(rng.random()),
            lr=float(10 ** rng.uniform(-4, 0)),
            temperature=None if i % 3 else 4.0,
        )
        for i in range(60)
    ]
    ax = parallel_coordinates(runs_frame(rows)).axes[0]
    titles = sorted((text for text in ax.texts if text.get_text() in ("alpha α", "lr")), key=lambda t: t.xy[0])
    at = {t.get_text(): t.xy[0] for t in titles}
    middle = {name: next(t for t in ax.texts if t.xy == pytest.approx((x, 0.5))).get_text() for name, x in at.items()}
    assert 0.4 < float(middle["alpha α"]) < 0.6
    assert 0.003 < float(middle["lr"]) < 0.03


def test_accuracy_is_the_last_axis_and_what_diverged_does_not_stretch_it() -> None:
    rows = [run(0.80 + i / 100, 0.8, alpha=i / 10) for i in range(5)] + [run(0.1, 0.1, alpha=0.9)]
    figure = parallel_coordinates(runs_frame(rows))
    (bar,) = figure.axes[0].child_axes
    assert bar.get_ylabel() == "mean test accuracy (%)"
    assert bar.get_ylim() == pytest.approx((80, 84))
    assert "1 far off drawn at the end" in below(figure)


def test_nothing_swept_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing was swept"):
        parallel_coordinates(runs_frame([run(0.8, 0.8), baseline(0.7, 0.7)]))
