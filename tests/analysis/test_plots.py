"""What a reader sees in the picture: numbers, marks, one scale, and words for what is missing."""

from __future__ import annotations

import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hand_made import baseline, run, runs_frame
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imread

from analysis.plots.heatmap import heatmap
from analysis.plots.paper import save
from analysis.plots.ranking import ranking


def grid(
    alphas: int, temperatures: int, modes: tuple[str, ...] = ("kl",), noise: float = 0.0, **fields: Any
) -> list[dict[str, Any]]:
    """A full grid of one seed; the gain grows with alpha and T, from 0.1 points."""
    return [
        run(
            0.8 + 0.001 * (a * temperatures + t + 1) + noise,
            0.8 + a / 100,
            alpha=a / 10,
            temperature=2.0**t,
            mode=m,
            **fields,
        )
        for m in modes
        for a in range(alphas)
        for t in range(temperatures)
    ]


def panels_of(figure: Figure) -> list[Axes]:
    return [ax for ax in figure.axes if ax.get_xlabel() == "temperature T"]


def words(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def all_text(figure: Figure) -> str:
    return f"{figure.get_suptitle()}\n{figure.get_supxlabel()}"


def framed(ax: Axes) -> set[tuple[int, int]]:
    """Cells (x, y) with a frame."""
    hollow = [patch for patch in ax.patches if not patch.get_fill() and not patch.get_hatch()]
    return {(round(patch.get_x() + 0.45), round(patch.get_y() + 0.45)) for patch in hollow}


def faces(ax: Axes) -> list[Any]:
    return [patch.get_facecolor() for patch in ax.patches if patch.get_fill()]


def test_cells_carry_gain_and_mean_and_the_best_by_validation_is_framed() -> None:
    rows = [baseline(0.80, 0.8), run(0.85, 0.80, alpha=0.1), run(0.79, 0.90, alpha=0.9)]
    (ax,) = panels_of(heatmap(runs_frame(rows)))
    assert words(ax) == ["+5.00\n85.00", "-1.00\n79.00"]
    assert framed(ax) == {(0, 1)}
    assert [label.get_text() for label in ax.get_yticklabels()] == ["0.1", "0.9"]
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title()) == ("temperature T", "alpha α", "mode kl")


def test_zero_gain_is_the_middle_of_one_scale_for_all_panels() -> None:
    rows = [baseline(0.80, 0.8), *(run(0.80 + gain, 0.8, mode=mode) for mode, gain in (("kl", 0), ("mse", 0.04)))]
    rows += [run(0.80 + gain, 0.8, mode=mode, alpha=0.9) for mode, gain in (("kl", 0.04), ("mse", -0.02))]
    figure = heatmap(runs_frame(rows))
    kl, mse = panels_of(figure)
    assert faces(kl)[1] == faces(mse)[0]
    assert min(faces(kl)[0][:3]) > 0.9
    assert figure.axes[-1].get_ylim() == pytest.approx((-4, 4))
    assert figure.axes[-1].get_ylabel() == "gain (percentage points)"


def test_a_diverged_cell_does_not_wash_out_the_others() -> None:
    figure = heatmap(runs_frame([baseline(0.8, 0.8), *grid(3, 3), run(0.1, 0.1, temperature=99.0, alpha=0.0)]))
    assert figure.axes[-1].get_ylim()[1] < 5
    assert "-70.00\n10.00" in words(panels_of(figure)[0])


def test_where_half_of_the_cells_collapsed_the_others_keep_their_colour() -> None:
    rows = [baseline(0.8 + seed / 100, 0.8, seed=seed) for seed in (0, 1)]
    for alpha, tests in ((0.1, (0.807, 0.819)), (0.9, (0.28, 0.55))):
        rows += [run(test, 0.8, alpha=alpha, seed=seed) for seed, test in enumerate(tests)]
    figure = heatmap(runs_frame(rows))
    assert figure.axes[-1].get_ylim()[1] < 5
    assert words(panels_of(figure)[0])[1].startswith("-39.00 ± 18.38")


def test_the_sd_of_a_gain_is_shown_and_noise_is_not_painted_in_full_colour() -> None:
    rows = [baseline(0.8, 0.8, seed=seed) for seed in (0, 1)]
    rows += [run(test, 0.8, alpha=a, seed=seed) for a in (0.1, 0.9) for seed, test in enumerate((0.79, 0.812))]
    figure = heatmap(runs_frame(rows))
    assert words(panels_of(figure)[0]) == ["+0.10 ± 1.56\n80.10"] * 2
    assert figure.axes[-1].get_ylim()[1] == pytest.approx(2 * 1.556, abs=0.01)
    assert "gain ± sd of the differences by seed" in all_text(figure).replace("\n", " ")


def test_the_title_names_metric_student_data_and_seeds() -> None:
    text = all_text(heatmap(runs_frame([baseline(0.8, 0.8), *grid(2, 2)])))
    for part in ("test accuracy, last epoch", "resnet8 on cifar10, 30 epochs, n = 1 (seed 0)", "best by validation"):
        assert part in text


def test_selection_on_the_test_set_is_called_biased() -> None:
    rows = [{**row, "protocol": "published"} for row in [baseline(0.8), *grid(2, 2)]]
    text = all_text(heatmap(runs_frame(rows)))
    assert "best by TEST accuracy, so biased" in text
    assert "validation" not in text


def test_missing_cells_are_hatched_and_say_why() -> None:
    rows = [
        baseline(0.8, 0.8),
        run(0.81, 0.8, alpha=0.1, temperature=1.0),
        run(0.10, 0.1, alpha=0.1, temperature=2.0, status="failed"),
        run(0.10, 0.1, alpha=0.9, temperature=1.0, status="stopped", epochs_run=3),
    ]
    (ax,) = panels_of(heatmap(runs_frame(rows)))
    assert [text.replace("\n", " ") for text in words(ax)] == ["+1.00 81.00", "1 failed", "stopped at 3", "–"]
    assert sum(patch.get_hatch() is not None for patch in ax.patches) == 3


def test_without_a_baseline_means_are_drawn_and_the_title_says_so() -> None:
    figure = heatmap(runs_frame(grid(2, 1)))
    assert words(panels_of(figure)[0]) == ["80.10", "80.20"]
    assert "Mean test accuracy (no baseline to compare with)" in all_text(figure)
    assert figure.axes[-1].get_ylabel() == "mean accuracy (%)"


def test_without_a_grid_cells_are_ranked_below_the_baselines() -> None:
    rows = [f(0.7 + lr, 0.6 + lr, lr=lr) for lr in (0.01, 0.1) for f in (run, baseline)]
    figure = ranking(runs_frame(rows))
    (ax,) = figure.axes
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == ["baseline, lr 0.1", "baseline, lr 0.01", "lr 0.1", "lr 0.01"]
    ((star, where),) = [(text.get_text(), text.xy) for text in ax.texts]
    assert (star, where) == ("★", (pytest.approx(80.0), 2))
    assert "Mean test accuracy of every cell, last epoch" in all_text(figure)
    assert "below the baselines (hollow)" in all_text(figure).replace("\n", " ")
    with pytest.raises(ValueError, match="no grid of alpha and temperature"):
        heatmap(runs_frame(rows))


def test_controls_do_not_stretch_a_ranking() -> None:
    rows = [run(0.7 + lr + s / 1000, 0.7 + lr, lr=lr, seed=s) for lr in (0.01, 0.1) for s in (0, 1)]
    rows += [run(0.2, 0.9, lr=0.1, control="shuffled-teacher", seed=s) for s in (0, 1)]
    figure = ranking(runs_frame(rows))
    (ax,) = figure.axes
    assert ax.get_xlim()[0] > 65
    assert "◂ 20.00" in [text.get_text() for text in ax.texts]
    assert "Bars" not in all_text(figure)
    assert sorted(len(line.get_xdata()) for line in ax.lines) == [1, 1, 2, 2]  # type: ignore[arg-type]


def test_a_ranking_of_long_names_fits_its_paper(tmp_path: Path) -> None:
    """A name is wrapped, the paper grows with it, and the star stays on it."""
    schedules, optimizers = ("multistep", "one_cycle", "plateau", "constant", "step"), ("adadelta", "sgd")
    rows = [
        f(0.1 + i / 50, 0.1 + i / 50, optimizer=o, schedule=s, teacher="torchvision:" + o * 4, init="xavier" + s)
        for i, (o, s) in enumerate((o, s) for o in optimizers for s in schedules)
        for f in (run, baseline)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = ranking(runs_frame(rows))
        save(figure, tmp_path, "cells.png")
    FigureCanvasAgg(figure).draw()
    (ax,) = figure.axes
    assert len(ax.get_yticklabels()) == 20
    assert ax.get_window_extent().width > 3 * figure.dpi
    labels = [label.get_window_extent() for label in ax.get_yticklabels()]
    assert all(above.y0 >= below.y1 for above, below in pairwise(labels))
    for box in [*labels, *(artist.get_window_extent() for artist in [*figure.texts, *ax.texts])]:
        assert min(box.x0, box.y0) >= 0
        assert box.x1 <= figure.bbox.x1
        assert box.y1 <= figure.bbox.y1


def test_a_long_ranking_keeps_the_baseline_and_says_what_it_leaves_out() -> None:
    rows = [run(0.8, 0.8 + i / 1000, alpha=i / 60, temperature=1 + i / 7) for i in range(50)]
    figure = ranking(runs_frame([baseline(0.5, 0.5), *rows]))
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert (len(labels), labels[0]) == (41, "baseline")
    assert "The 10 lowest are left out" in all_text(figure).replace("\n", " ")


def test_a_cell_of_fewer_seeds_says_so() -> None:
    rows = [run(0.8, 0.8, alpha=alpha, seed=seed) for alpha in (0.1, 0.5) for seed in (0, 1)]
    rows.append(run(0.8, 0.8, alpha=0.9))
    assert words(panels_of(heatmap(runs_frame(rows)))[0]) == ["80.00", "80.00", "80.00\nn=1"]


def test_no_finished_run_is_refused() -> None:
    with pytest.raises(ValueError, match="no run has finished"):
        heatmap(runs_frame([run(0.1, status="failed")]))
    with pytest.raises(ValueError, match="no run has finished"):
        ranking(runs_frame([run(0.1, status="failed")]))


@pytest.mark.parametrize(
    ("alphas", "temperatures", "modes"),
    [(1, 1, ("kl",)), (9, 5, ("kl", "mse")), (4, 2, ("cse", "kl", "mse", "logit")), (1, 5, ("kl",)), (9, 1, ("kl",))],
)
def test_every_size_fits_its_paper(tmp_path: Path, alphas: int, temperatures: int, modes: tuple[str, ...]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = heatmap(runs_frame([baseline(0.8, 0.8), *grid(alphas, temperatures, modes)]))
        save(figure, tmp_path)
    assert [len(words(ax)) for ax in panels_of(figure)] == [alphas * temperatures] * len(modes)
    FigureCanvasAgg(figure).draw()
    for artist in [*figure.texts, *(ax.title for ax in figure.axes), *(ax.yaxis.label for ax in figure.axes)]:
        (left, bottom), (right, top) = artist.get_window_extent().get_points()
        assert min(left, bottom) >= 0, artist
        assert right <= figure.bbox.x1, artist
        assert top <= figure.bbox.y1, artist


def test_numbers_stay_inside_their_cells() -> None:
    rows = [baseline(0.8, 0.8, seed=seed) for seed in (0, 1)]
    rows += [row for seed in (0, 1) for row in grid(9, 5, ("kl", "mse"), noise=-0.6 + seed * 0.2, seed=seed)]
    figure = heatmap(runs_frame(rows))
    assert "-49.90 ± 14.14 *\n30.10" in words(panels_of(figure)[0])
    FigureCanvasAgg(figure).draw()
    for ax in panels_of(figure):
        across, down = np.abs(ax.transData.transform((1, 1)) - ax.transData.transform((0, 0)))
        boxes = [text.get_window_extent() for text in ax.texts]
        assert all(box.width < across and box.height < down for box in boxes)


def test_save_writes_one_picture(tmp_path: Path) -> None:
    save(heatmap(runs_frame(grid(2, 2))), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["heatmap.png"]
    assert imread(tmp_path / "heatmap.png").shape[1] >= 6.5 * 150
