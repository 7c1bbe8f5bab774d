"""Whatever a sweep left behind, each table is there, or a sentence says why it is not."""

from __future__ import annotations

import io
from typing import Any

import pandas as pd
import pytest
from hand_made import baseline, run, runs_frame

from analysis import tables

MAKERS = {
    "alpha-temperature": tables.alpha_temperature,
    "methods": tables.methods_by_network,
    "seeds": tables.seeds,
    "differences": tables.differences_table,
    "variance": tables.variance_table,
}
SCHEDULES: dict[str, Any] = {"temperature": None, "temperature_schedule": "[[0, 8.0], [5, 1.0]]"}
POINTS = [(i / 7, 1 + i * i / 3) for i in range(9)]
INPUTS: dict[str, list[dict[str, Any]]] = {
    "no runs": [],
    "one cell, one seed": [run(0.8, 0.8)],
    "one cell, two seeds": [run(0.8 + seed / 30, 0.8, seed=seed) for seed in (0, 1)],
    "one seed": [baseline(0.7, 0.7), *(run(0.8 + alpha / 30, 0.8, alpha=alpha) for alpha in (0.1, 0.5))],
    "all failed": [run(0.1, status="failed", error="loss is NaN", seed=seed) for seed in (0, 1)],
    "baselines alone": [baseline(0.8 + seed / 30, 0.8, seed=seed) for seed in (0, 1)],
    "NaN": [run(float("nan"), float("nan"), alpha=alpha, seed=s) for alpha in (0.1, 0.5) for s in (0, 1)],
    "NaN in one": [
        make(float("nan") if seed and make is run else 0.7, 0.7, seed=seed)
        for make in (run, baseline)
        for seed in (0, 1)
    ],
    "no baseline": [run(0.8 + seed / 30 + a / 9, 0.8, alpha=a, seed=seed) for a in (0.1, 0.5) for seed in (0, 1)],
    "random draws": [
        run(0.8 + s / (30 + i), 0.8, alpha=alpha, temperature=t, seed=s)
        for i, (alpha, t) in enumerate(POINTS)
        for s in (0, 1)
    ],
    "no T": [run(0.8 + a / 9, 0.8, mode="logit_mse", temperature=None, alpha=a) for a in (0.1, 0.5)],
    "schedules": [run(0.8, 0.8), run(0.81, 0.8, **SCHEDULES), run(0.8, 0.7, alpha=0.9, **SCHEDULES)],
    "no seed in common": [baseline(0.7, 0.7, seed=5), run(0.8, 0.8), run(0.8, 0.8, alpha=0.9)],
}
NO_ROWS = {
    "alpha-temperature": {
        "random draws": "they are no grid here, since most of their crossings were not run.",
        "baselines alone": "nothing was distilled.",
    },
    "methods": {},
    "seeds": {},
    "differences": {
        "no baseline": "No differences: no baseline was run.",
        "baselines alone": "No differences: nothing was distilled.",
        "no seed in common": "with a seed in common.",
        "one cell, one seed": "no baseline was run.",
    },
    "variance": {"one seed": "seeds that differ, two or more.", "one cell, one seed": "two settings or more"},
}
NO_RESULT = {"no runs": "none was begun", "all failed": "2 failed", "NaN": "none has a test accuracy"}


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("name", INPUTS)
def test_every_table_is_there_or_says_why_not(name: str, maker: str) -> None:
    found = MAKERS[maker](runs_frame(INPUTS[name]))
    assert found
    why = (NO_ROWS[maker] | NO_RESULT).get(name)
    if why:
        assert not any(table.rows for table in found)
        assert why in " ".join(note for table in found for note in table.notes)
    for table in found:
        assert table.notes
        assert all(len(row) == len(table.columns) for row in table.rows)
        assert not any("nan" in entry.text.lower() or "<NA>" in entry.text for row in table.rows for entry in row)
        assert bool(table.rows) == bool(len(table.data))


@pytest.mark.parametrize("name", ["all failed", "one cell, one seed", "schedules"])
def test_every_writer_takes_what_there_is(name: str) -> None:
    for maker in MAKERS.values():
        found = maker(runs_frame(INPUTS[name]))
        text = tables.markdown(*found)
        assert all(note in text for note in found[0].notes)
        assert all(tables.latex(table).endswith("\n") for table in found)
        assert all(table.notes[0][:30] in tables.styled(table).to_html() for table in found)
        read = pd.read_parquet(io.BytesIO(tables.parquet(*found)))
        assert len(read) == sum(len(table.data) for table in found)
        assert tables.csv(*found).splitlines()[0].split(",")[0] == "table"


def test_one_seed_shows_no_spread_in_any_table() -> None:
    for maker in (tables.alpha_temperature, tables.methods_by_network, tables.differences_table):
        (table,) = maker(runs_frame(INPUTS["one seed"]))
        texts = [entry.text for row in table.rows for entry in row]
        assert any("n=1" in text for text in texts)
        assert not any("±" in text for text in texts)


def test_axes_without_numbers_are_named() -> None:
    (table,) = tables.alpha_temperature(runs_frame(INPUTS["no T"]))
    assert table.columns == ("", "no T")
    (table,) = tables.alpha_temperature(runs_frame(INPUTS["schedules"]))
    assert table.columns == ("", "T=4", "T=[[0, 8.0], [5, 1.0]]")
