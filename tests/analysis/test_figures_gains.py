"""What was gained and what moved it: differences with both intervals, shares of the variance, importance."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hand_made import baseline, run, runs_frame
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from analysis.plots.forest import differences
from analysis.plots.heatmap import heatmap
from analysis.plots.important import importance
from analysis.plots.variance import variance
from analysis.stats.differences import differences as table_of
from analysis.stats.variance import variance_shares


def noisy(make: Any, mean: float, seeds: int = 3, key: int = 0, **fields: Any) -> list[dict[str, Any]]:
    """Runs of one cell: a mean, what a seed does to all cells, and noise of half a point."""
    noise = np.random.default_rng(key).normal(0, 0.005, seeds)
    values = [mean + 0.004 * seed + noise[seed] for seed in range(seeds)]
    return [make(value, value, seed=seed, **fields) for seed, value in enumerate(values)]


def sweep(**fields: Any) -> list[dict[str, Any]]:
    """A baseline and a grid of two alphas and three temperatures, the larger alpha far ahead."""
    grid = [(a, t) for a in (0.1, 0.9) for t in (1.0, 4.0, 16.0)]
    cells = [noisy(run, 0.8 + a / 10, key=10 + i, alpha=a, temperature=t, **fields) for i, (a, t) in enumerate(grid)]
    return [row for cell in [noisy(baseline, 0.8, key=1, **fields), *cells] for row in cell]


def labels(ax: Axes) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


def below(figure: Figure) -> str:
    return " ".join(figure.get_supxlabel().split())


def test_cells_lie_in_order_with_both_of_their_intervals() -> None:
    runs = runs_frame(sweep())
    table = table_of(runs).dropna(subset="difference").sort_values("difference", ascending=False)
    (ax,) = differences(runs).axes
    assert len(labels(ax)) == 6
    assert labels(ax)[0].endswith(f"T {table['temperature'].iloc[0]:g}, α 0.9")
    bars = [(line.get_linewidth(), list(line.get_xdata())) for line in ax.lines if len(set(line.get_ydata())) == 1]
    thin, thick = (next(ends for width, ends in bars if width == w and len(ends) == 2) for w in (1.0, 4.0))
    first = table.iloc[0]
    assert thick == pytest.approx([100 * first["low"], 100 * first["high"]])
    assert thin == pytest.approx([100 * first["family_low"], 100 * first["family_high"]])
    assert thin[0] < thick[0]
    assert any(set(line.get_xdata()) == {0} for line in ax.lines), "no line at zero"


def test_one_seed_shows_differences_without_intervals_and_says_so() -> None:
    figure = differences(runs_frame([baseline(0.8, 0.8), run(0.81, 0.8, alpha=0.1), run(0.82, 0.8, alpha=0.9)]))
    (ax,) = figure.axes
    assert [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "o"] == pytest.approx([2.0, 1.0])  # type: ignore[index]
    assert not [line for line in ax.lines if line.get_linewidth() == 4.0]
    assert "No intervals: no spread between seeds is known" in below(figure)
    assert "n = 1 (seed 0)" in figure.get_suptitle()


def test_controls_are_squares_and_kept_however_many_cells_there_are() -> None:
    rows = noisy(baseline, 0.8) + noisy(run, 0.78, control="shuffled-teacher")
    rows += [row for i in range(45) for row in noisy(run, 0.8 + i / 1000, key=i, alpha=i / 50)]
    figure = differences(runs_frame(rows))
    (ax,) = figure.axes
    assert len(labels(ax)) == 41
    assert "shuffled-teacher" in labels(ax)[-1]
    assert [line.get_marker() for line in ax.lines].count("s") == 1
    assert "The 5 lowest others are left out" in below(figure)


def test_a_diverged_cell_stands_at_the_edge_as_a_number() -> None:
    rows = noisy(baseline, 0.8) + [row for i in range(5) for row in noisy(run, 0.8, alpha=i / 10, key=i)]
    (ax,) = differences(runs_frame([*rows, *noisy(run, 0.1, alpha=0.9)])).axes
    assert [text.get_text() for text in ax.texts] == ["◂ -70.00"]
    assert ax.get_xlim()[0] > -5


def test_students_are_apart_on_one_scale() -> None:
    figure = differences(runs_frame(sweep() + sweep(student="vgg8")))
    upper, lower = figure.axes
    assert [ax.get_title() for ax in (upper, lower)] == ["student resnet8", "student vgg8"]
    assert upper.get_xlim() == lower.get_xlim()
    assert (upper.get_xlabel(), lower.get_xlabel()) == ("", "difference in test accuracy (percentage points)")


def test_labels_of_a_long_forest_do_not_overlap() -> None:
    rows = noisy(baseline, 0.8)
    rows += [row for i in range(40) for row in noisy(run, 0.8, key=i, alpha=i / 40, taps=f'["{"stage" * 12}{i}"]')]
    figure = differences(runs_frame(rows))
    FigureCanvasAgg(figure).draw()
    boxes = [label.get_window_extent() for label in figure.axes[0].get_yticklabels()]
    assert all(above.y0 >= under.y1 for above, under in pairwise(boxes))
    assert min(box.x0 for box in boxes) >= 0


def test_no_baseline_is_refused() -> None:
    with pytest.raises(ValueError, match="finished baseline"):
        differences(runs_frame(noisy(run, 0.8)))


def test_the_heatmap_marks_gains_that_are_clear_taken_together() -> None:
    figure = heatmap(runs_frame(sweep()))
    words = [text.get_text() for text in figure.axes[0].texts]
    assert [" *\n" in word for word in words] == [False] * 3 + [True] * 3
    assert "*: the gain's simultaneous 95 % interval" in below(figure)


def test_shares_are_drawn_largest_first_and_luck_is_hatched() -> None:
    runs = runs_frame(sweep())
    shares = variance_shares(runs)
    figure = variance(runs)
    (ax,) = figure.axes
    assert labels(ax)[0] == "alpha α"
    assert [bar.get_width() for bar in ax.patches] == pytest.approx((100 * shares["share"]).tolist())
    hatched = {label for label, bar in zip(labels(ax), ax.patches, strict=True) if bar.get_hatch()}
    assert hatched == {"seed", "seed x setting"}
    assert ax.get_xlim() == (0, 100)
    assert "18 distilled runs" in below(figure)


def test_shares_of_one_seed_are_refused() -> None:
    with pytest.raises(ValueError, match="luck cannot be told from settings"):
        variance(runs_frame([run(0.8, 0.8, alpha=0.1), run(0.9, 0.9, alpha=0.9)]))


def test_every_evaluator_has_its_bars_and_its_name() -> None:
    more = [row for a in (0.1, 0.9) for row in noisy(run, 0.8 + a / 10, alpha=a, temperature=20.0)]
    figure = importance(runs_frame(sweep() + more))
    (ax,) = figure.axes
    assert set(labels(ax)) == {"alpha α", "temperature T"}
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["fANOVA", "MDI"]  # of so few cells
    assert len({bar.get_hatch() for bar in ax.patches}) == 2
    assert sum(bar.get_width() for bar in ax.patches if not bar.get_hatch()) == pytest.approx(100)
    assert ax.get_title() == "8 cells"
    assert "What moves validation accuracy" in figure.get_suptitle()
    assert "From 8 cells they say little" in below(figure)
    assert "PED-ANOVA" not in below(figure)


def test_importance_of_too_few_cells_is_refused() -> None:
    with pytest.raises(ValueError, match="takes 8 finished distilled cells"):
        importance(runs_frame([run(0.8, 0.8, alpha=0.1), run(0.9, 0.9, alpha=0.9)]))
