"""Curves over epochs and over the temperature: which runs are in a mean, and what a reader sees of it."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hand_made import baseline, epochs_frame, run, runs_frame
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.plots.learning import learning_curves
from analysis.plots.temperature import temperature_curves
from analysis.stats.cells import cells
from analysis.stats.curves import learning_curves as curves_of
from analysis.stats.curves import temperature_curves as temperatures_of


def history(runs: pd.DataFrame, lengths: dict[int, int] | None = None, epochs: int = 4) -> pd.DataFrame:
    """Epochs of every run, its accuracy growing by a point to the one it ends with; ``lengths`` by row."""
    rows = []
    for place, (spec_id, last) in enumerate(zip(runs["spec_id"], runs["test_accuracy_last"], strict=True)):
        until = (lengths or {}).get(place, epochs)
        rows += [
            {"spec_id": spec_id, "epoch": e, "test_accuracy": (last or 0.5) - (until - e) / 100}
            for e in range(1, until + 1)
        ]
    return epochs_frame(rows)


def seeds(make: Any, tests: tuple[float, ...], **fields: Any) -> list[dict[str, Any]]:
    return [make(test, test, seed=seed, **fields) for seed, test in enumerate(tests)]


def legend(figure: Figure) -> list[str]:
    found = [*figure.legends, *(ax.get_legend() for ax in figure.axes)]
    return [text.get_text() for one in found if one is not None for text in one.get_texts()]


def ends(ax: Axes, colour: str) -> list[float]:
    """The last height of every line of that colour."""
    return [round(float(line.get_ydata()[-1]), 6) for line in ax.lines if line.get_color() == colour]  # type: ignore[index]


def below(figure: Figure) -> str:
    return " ".join(figure.get_supxlabel().split())


def test_a_curve_is_the_mean_over_the_finished_seeds() -> None:
    runs = runs_frame(seeds(run, (0.80, 0.82, 0.84)))
    curve = curves_of(runs, history(runs))
    assert curve["mean"].tolist() == pytest.approx([0.79, 0.80, 0.81, 0.82])
    assert curve["n"].tolist() == [3] * 4
    assert curve["half_width"].tolist() == pytest.approx([4.302653 * 0.02 / 3**0.5] * 4)  # t(0.975, 2)
    assert (curve["lowest"].iloc[-1], curve["highest"].iloc[-1]) == (0.80, 0.84)


def test_a_mean_keeps_its_members_along_the_curve() -> None:
    """One ended by its patience ends the curve; failed and stopped ones are in none of it."""
    rows = [*seeds(run, (0.80, 0.82)), run(0.1, 0.1, seed=2, status="failed"), run(0.2, 0.2, seed=3, status="stopped")]
    runs = runs_frame(rows)
    curve = curves_of(runs, history(runs, {0: 4, 1: 3, 2: 2, 3: 1}))
    assert curve["epoch"].tolist() == [1, 2, 3]
    assert curve["n"].tolist() == [2, 2, 2]
    assert curve["mean"].iloc[0] == pytest.approx((0.77 + 0.80) / 2)


def test_an_epoch_that_a_seed_lacks_is_left_out() -> None:
    runs = runs_frame(seeds(run, (0.80, 0.82)))
    epochs = history(runs)
    epochs.loc[1, "test_accuracy"] = pd.NA
    assert curves_of(runs, epochs)["epoch"].tolist() == [1, 3, 4]


def test_curves_name_the_rows_of_cells() -> None:
    rows = [*seeds(run, (0.80, 0.81), alpha=0.9), *seeds(run, (0.7, 0.71), alpha=0.1), *seeds(baseline, (0.75, 0.76))]
    runs = runs_frame(rows)
    last = curves_of(runs, history(runs)).groupby("cell").last()
    assert last["mean"].tolist() == pytest.approx(cells(runs)["mean"].tolist())
    assert list(last.index) == [0, 1, 2]


def test_temperature_curves_join_what_differs_in_nothing_else() -> None:
    grid = [(a, t) for a in (0.1, 0.9) for t in (4.0, 1.0)]
    rows = [row for a, t in grid for row in seeds(run, (0.8, 0.82), alpha=a, temperature=t)]
    rows += [baseline(0.7), run(0.5, temperature=None, mode="logit_mse"), run(0.1, temperature=2.0, status="failed")]
    curves = temperatures_of(runs_frame(rows))
    assert curves["curve"].tolist() == [0, 0, 1, 1]
    assert curves["temperature"].tolist() == [1.0, 4.0, 1.0, 4.0]


def test_of_many_cells_the_best_three_the_worst_and_the_baseline_are_named() -> None:
    rows = seeds(baseline, (0.5, 0.51)) + [r for i in range(9) for r in seeds(run, (0.6 + i / 100,) * 2, alpha=i / 10)]
    runs = runs_frame(rows)
    figure = learning_curves(runs, history(runs))
    assert legend(figure) == ["baseline", "★ α 0.8", "α 0.7", "α 0.6", "worst: α 0", "the 5 other cells"]
    assert ends(figure.axes[0], "0.35") == [50.5]
    assert sorted(ends(figure.axes[0], "0.72")) == [61, 62, 63, 64, 65]
    assert "the worst" in below(figure)
    assert "Bands: the two seeds" in below(figure)


def test_one_seed_has_no_band_and_says_so() -> None:
    runs = runs_frame([baseline(0.5, 0.5), run(0.6, 0.6)])
    figure = learning_curves(runs, history(runs))
    assert not figure.axes[0].collections
    assert "n = 1: no spread is known" in below(figure)
    assert "n = 1 (seed 0)" in figure.get_suptitle()


def test_the_end_of_a_long_budget_has_a_scale_of_its_own() -> None:
    runs = runs_frame([*seeds(baseline, (0.5, 0.51, 0.52)), *seeds(run, (0.6, 0.61, 0.62))])
    whole, end = learning_curves(runs, history(runs, epochs=20)).axes
    assert end.get_title() == "the end"
    assert whole.get_xlim()[0] < 1 < 13 < end.get_xlim()[0] < 14
    assert end.get_ylim()[0] > whole.get_ylim()[0] + 5


def test_two_students_have_a_panel_each() -> None:
    rows = [r for name in ("resnet8", "vgg8") for f in (baseline, run) for r in seeds(f, (0.5, 0.6), student=name)]
    runs = runs_frame(rows)
    figure = learning_curves(runs, history(runs))
    assert [ax.get_title() for ax in figure.axes] == ["student resnet8", "student vgg8"]


def test_learning_curves_without_epochs_are_refused() -> None:
    runs = runs_frame([run(0.5, 0.5)])
    with pytest.raises(ValueError, match="two epochs with a test accuracy"):
        learning_curves(runs, history(runs, epochs=1))
    with pytest.raises(ValueError, match="no run has finished"):
        learning_curves(runs_frame([run(0.1, status="failed")]), epochs_frame([]))


def temperature_grid(**fields: Any) -> list[dict[str, Any]]:
    grid = [(m, a, t) for m in ("kl", "mse") for a in (0.1, 0.9) for t in (1.0, 4.0, 16.0)]
    return [
        row
        for m, a, t in grid
        for row in seeds(run, (0.8 + a / 50, 0.81, 0.82), mode=m, alpha=a, temperature=t, **fields)
    ]


def test_temperature_curves_have_a_panel_for_each_mode_in_one_scale() -> None:
    figure = temperature_curves(runs_frame([*temperature_grid(), *seeds(baseline, (0.78, 0.79, 0.80))]))
    kl, mse = figure.axes
    assert [ax.get_title() for ax in (kl, mse)] == ["mode kl", "mode mse"]
    assert kl.get_ylim() == mse.get_ylim()
    assert (kl.get_xscale(), [t.get_text() for t in kl.get_xticklabels()]) == ("log", ["1", "4", "16"])
    assert legend(figure) == ["α 0.1", "α 0.9", "baseline,\nnot distilled"]
    assert ends(kl, "0.35") == [79.0]
    assert "Bars: 95 % interval" in below(figure)
    assert "baseline's mean and 95 % interval" in below(figure)


def test_interval_of_a_point_is_that_of_its_mean() -> None:
    figure = temperature_curves(runs_frame(temperature_grid()))
    table = cells(runs_frame(temperature_grid()))
    bars = [line.get_ydata() for line in figure.axes[0].lines if len(line.get_xdata()) == 2]  # type: ignore[arg-type]
    first = table[(table["mode"] == "kl") & (table["alpha"] == 0.1) & (table["temperature"] == 1.0)].iloc[0]
    half = 100 * first["half_width"]
    assert list(bars[0]) == pytest.approx([100 * first["mean"] - half, 100 * first["mean"] + half])  # type: ignore[arg-type]
    assert "No baseline has finished" in below(figure)


def test_a_cell_of_fewer_seeds_and_one_that_diverged_say_so() -> None:
    rows = [
        *temperature_grid(),
        run(0.815, 0.8, alpha=0.1, temperature=64.0),
        *seeds(run, (0.1,) * 3, alpha=0.9, temperature=64.0),
    ]
    kl = temperature_curves(runs_frame(rows)).axes[0]
    words = [text.get_text() for text in kl.texts]
    assert "n=1" in words
    assert "▾ 10.00" in words
    assert kl.get_ylim()[0] > 70


def test_a_temperature_that_was_not_swept_is_refused() -> None:
    with pytest.raises(ValueError, match="temperature was not swept"):
        temperature_curves(runs_frame([run(0.8, alpha=0.1), run(0.8, alpha=0.9)]))
