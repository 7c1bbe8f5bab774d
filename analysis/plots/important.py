"""Runs -> which of the swept fields mattered: bars, one for each of Optuna's evaluators, each named."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from analysis.plots.look import COLOURS, SIZE
from analysis.plots.names import SIGNS
from analysis.plots.paper import finished_cells, groups, label_figure, name_lines, sheet
from analysis.stats.importance import FEWEST
from analysis.stats.importance import importance as importance_of

WIDE, BAR = 5.0, 0.17  # inches
MANY = 30  # cells: the best tenth are three
HATCHES = ("", "///", "...", "xxx")  # tell the evaluators apart in grey


def importance(runs: pd.DataFrame) -> Figure:
    """Importance of every swept field for what selects, a bar for each evaluator; those of one add up to 100 %.

    A panel for each student and budget. Raises ValueError if no run has finished, or there are too few cells.
    """
    table = finished_cells(runs)
    found = importance_of(runs)
    if found.empty:
        raise ValueError(f"importance takes {FEWEST} finished distilled cells that differ, with a score to select by")
    parts = groups(found, table)
    evaluators = list(dict.fromkeys(found["evaluator"]))
    lines = [part["field"].nunique() for _, part in parts]
    height = (BAR * len(evaluators) + 0.12) * sum(lines) + 0.95 * len(parts) + 1.5
    figure, axes = sheet(len(parts), 1, WIDE + 2.4, height, gridspec_kw={"height_ratios": lines}, sharex=True)
    for ax, (heading, part) in zip(axes, parts, strict=True):
        _draw(ax, heading, part, evaluators)
    axes[-1].set_xlabel("importance (%, adds up to 100 for each evaluator)", fontsize=SIZE)
    axes[0].set_xlim(0, min(100.0, 112 * found["importance"].max()))
    name_lines(figure, [_handle(place, name) for place, name in enumerate(evaluators)], "evaluator")
    label_figure(figure, f"What moves {_score(table)}", table, "", _legend(parts))
    return figure


def _draw(ax: Axes, heading: str, part: pd.DataFrame, evaluators: list[str]) -> None:
    wide = part.pivot_table(index="field", columns="evaluator", values="importance")
    wide = wide.loc[wide.mean(axis=1).sort_values(ascending=False, kind="stable").index]
    thick = 0.8 / len(evaluators)
    for place, name in enumerate(evaluators):
        if name in wide:
            at = [y + thick * (place - (len(evaluators) - 1) / 2) for y in range(len(wide))]
            look: Any = {"color": COLOURS[place], "hatch": HATCHES[place % len(HATCHES)], "edgecolor": "white"}
            ax.barh(at, 100 * wide[name], height=0.9 * thick, linewidth=0, **look)
    ax.set_yticks(range(len(wide)), [f"{name} {SIGNS[name]}" if name in SIGNS else name for name in wide.index])
    ax.set_ylim(len(wide) - 0.5, -0.5)
    cells = f"{part['cells'].iloc[0]} cells"
    ax.set_title(f"{heading}, {cells}" if heading else cells, fontsize=SIZE + 1)
    ax.grid(axis="y", visible=False)
    ax.tick_params(axis="y", length=0)


def _handle(place: int, name: str) -> Patch:
    return Patch(facecolor=COLOURS[place], hatch=HATCHES[place % len(HATCHES)], edgecolor="white", label=name)


def _score(table: pd.DataFrame) -> str:
    protocols = set(table["protocol"].dropna())
    if protocols == {"published"}:
        return "test accuracy, last epoch"
    return "validation accuracy, last epoch" + (" (test under published)" if "published" in protocols else "")


def _legend(parts: list[tuple[str, pd.DataFrame]]) -> str:
    """What stands below the picture."""
    fewest = min(int(part["cells"].iloc[0]) for _, part in parts)
    words = ["fANOVA and MDI: variance explained over all that was tried."]
    tenth = any("PED-ANOVA" in set(part["evaluator"]) for _, part in parts)
    words += ["PED-ANOVA: what tells the best tenth apart."] if tenth else []
    words += [f"From {fewest} cells they say little." if fewest < MANY else ""]
    return " ".join(filter(None, words))
