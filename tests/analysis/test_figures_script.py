"""``python -m analysis.plots``: what it writes, what it says, and that no figure breaks on what a sweep may hold."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hand_made import baseline, epochs_frame, run, runs_frame
from matplotlib.figure import Figure

from analysis.plots.__main__ import main
from analysis.plots.figures import FIGURES, draw
from analysis.plots.paper import save

EXTRA = {"parameters": 78_000, "latency_seconds": 0.001, "device": "cpu", "threads": 1}


def grid(seeds: int = 2, **fields: Any) -> list[dict[str, Any]]:
    """A baseline, and two modes x two alphas x three temperatures, each seed a little apart."""
    cells = [(m, a, t) for m in ("kl", "mse") for a in (0.1, 0.9) for t in (1.0, 4.0, 16.0)]
    rows = []
    for seed in range(seeds):
        same = {"seed": seed, **EXTRA, **fields}
        rows.append(baseline(0.80 + seed / 200, 0.80, teacher_agreement=0.85, **same))
        for i, (mode, alpha, temperature) in enumerate(cells):
            value = 0.8 + i / 500 + seed / 200 + (i * seed % 3) / 1000
            swept = {"mode": mode, "alpha": alpha, "temperature": temperature}
            rows.append(run(value, value, teacher_agreement=value + 0.1, **swept, **same))
    return rows


SCHEDULE = {"temperature": None, "temperature_schedule": "[[0, 8.0], [15, 2.0]]"}
STOPPED = {"status": "stopped", "epochs_run": 3}
CASES: dict[str, list[dict[str, Any]]] = {
    "grid": grid(),
    "one cell": [run(0.8, 0.8, **EXTRA)],
    "one seed": grid(1),
    "no baseline": [row for row in grid() if row.get("method") != "none"],
    "only a baseline": [baseline(0.8, 0.8, seed=seed) for seed in (0, 1)],
    "all failed": [run(status="failed", alpha=alpha) for alpha in (0.1, 0.9)],
    "no accuracy": [run(None, None, alpha=alpha) for alpha in (0.1, 0.9)],
    "some without": [*grid(3), run(float("nan"), 0.8, alpha=0.5), run(0.1, 0.1, alpha=0.5, seed=1, **STOPPED)],
    "schedules": [*grid(), *(run(0.83, 0.8, seed=seed, **SCHEDULE) for seed in (0, 1))],
    "diverged": [*grid(), *(run(0.1, 0.1, alpha=0.5, temperature=t, seed=s) for t in (1.0, 4.0) for s in (0, 1))],
    "two students": grid() + grid(student="a_network_of_some_length"),
    "two budgets": grid(1) + grid(1, epochs=90, protocol="published"),
    "all alike": [f(0.8, 0.8, seed=s, alpha=a) for s in (0, 1) for f, a in ((run, 0.1), (run, 0.9), (baseline, None))],
    "many": [run(0.8 + i / 1000, 0.8 + i / 1000, alpha=i / 110, lr=0.1 + i / 1000, **EXTRA) for i in range(110)],
}
NOTHING = ("all failed", "no accuracy")
SLOW = ("importance", "published")  # which are drawn where they differ from case to case
# the plainest cases and those with the most missing; the others with what is slow
EVERY_DAY = ("grid", "one cell", "no baseline", "only a baseline", "some without", "all alike", *NOTHING)


def history(runs: pd.DataFrame) -> pd.DataFrame:
    pairs = zip(runs["spec_id"], runs["test_accuracy_last"], strict=True)
    rows = [
        {"spec_id": spec_id, "epoch": epoch, "test_accuracy": last - (10 - epoch) / 100}
        for spec_id, last in pairs
        if pd.notna(last)
        for epoch in range(1, 11)
    ]
    return epochs_frame(rows)


def assert_on_paper(figure: Figure) -> None:
    """No title, label or name of a line is cut off by the edge of the sheet."""
    figure.draw_without_rendering()
    visible = [ax for ax in figure.axes if ax.axison]
    shown = [text for ax in visible for text in (ax.title, ax.xaxis.label, ax.yaxis.label)]
    for text in (text for text in [*shown, *figure.texts] if text.get_text()):
        box = text.get_window_extent()
        assert min(box.x0, box.y0) >= -1, text
        assert box.x1 <= figure.bbox.x1 + 1, text
        assert box.y1 <= figure.bbox.y1 + 1, text
    for label in (label for ax in visible for label in ax.get_yticklabels()):
        assert label.get_window_extent().x0 >= -1, label


def drawn_or_why(name: str, runs: pd.DataFrame) -> Figure | str:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return draw(name, runs, history(runs))
        except ValueError as error:
            return str(error)


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=() if case in EVERY_DAY else pytest.mark.slow) for case in CASES]
)
def test_every_figure_is_drawn_or_says_in_a_line_why_not(case: str) -> None:
    runs = runs_frame(CASES[case])
    asked = [name for name in FIGURES if name not in SLOW or case in ("grid", "one cell", *NOTHING)]
    found = {name: drawn_or_why(name, runs) for name in asked}
    reasons = {name: why for name, why in found.items() if isinstance(why, str)}
    for figure in (figure for figure in found.values() if isinstance(figure, Figure)):
        assert_on_paper(figure)
    assert all(20 < len(why) < 120 and why[0].islower() and "\n" not in why for why in reasons.values()), reasons
    assert case not in NOTHING or set(reasons) == set(FIGURES)
    assert case in NOTHING or not {"cells", "learning_curves"} & set(reasons)
    if case == "grid":
        assert set(reasons) == {"methods", "published", "pareto"}  # of one student alone


def written(folder: Path, rows: list[dict[str, Any]]) -> Path:
    folder.mkdir(parents=True)
    runs = runs_frame(rows)
    runs.to_parquet(folder / "runs.parquet")
    history(runs).to_parquet(folder / "epochs.parquet")
    return folder


def test_the_script_writes_what_fits_and_says_why_the_rest_does_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = written(tmp_path / "sweeps" / "one", grid())
    (folder / "plots").mkdir()
    (folder / "plots" / "methods.png").write_bytes(b"of an earlier time")
    assert main([str(folder), "--figure", "heatmap", "differences", "methods"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [f"{folder}/plots/heatmap.png", f"{folder}/plots/differences.png"]
    assert lines[2].startswith("no methods: neither methods")
    assert sorted(path.name for path in (folder / "plots").iterdir()) == ["differences.png", "heatmap.png"]


def test_a_results_folder_and_another_place_will_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path / "results" / "sweeps" / "one", grid())
    out = tmp_path / "a" / "b"
    given = [str(tmp_path / "results"), "--figure", "cells", "--format", "svg", "--out", str(out)]
    assert main(given) == 0
    assert capsys.readouterr().out == f"{out}/cells.svg\n"


def test_an_svg_has_its_text_as_text_and_is_the_same_each_time(tmp_path: Path) -> None:
    runs = runs_frame(grid())
    for name in ("first.svg", "second.svg"):
        save(draw("temperature_curves", runs), tmp_path, name)
    first = (tmp_path / "first.svg").read_text()
    assert first == (tmp_path / "second.svg").read_text()
    assert ">test accuracy (%)</text>" in first


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--figure", "heatmpa"], "--figure: unknown name 'heatmpa' (did you mean 'heatmap'?)"),
        (["--format", "pdf"], "--format: unknown name 'pdf'; allowed: png, svg"),
        (["--frog"], "--frog"),
    ],
)
def test_what_is_not_understood_is_one_line(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path), *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_no_results_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "nowhere")]) == 2
    assert "no such folder" in capsys.readouterr().err


def test_the_table_of_figures_is_cheap_to_import() -> None:
    code = "import sys, analysis.plots.figures; print([m for m in ('optuna', 'sklearn', 'torch') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
