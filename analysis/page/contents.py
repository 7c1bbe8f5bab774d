"""What a sweep's part of the page says, in order."""

from __future__ import annotations

from typing import Any

from analysis.answer import answered
from analysis.page.figures.agreement import agreement
from analysis.page.figures.effects import important, shares
from analysis.page.figures.forest import forest
from analysis.page.figures.front import front
from analysis.page.figures.heatmap import heatmap
from analysis.page.figures.learning import learning
from analysis.page.figures.parallel import parallel
from analysis.page.figures.seeds import seeds
from analysis.page.figures.temperature import temperature
from analysis.page.parts import Items, Section, Text
from analysis.page.sections.cost import cost
from analysis.page.sections.origin import origin
from analysis.page.sections.setting import spec, teacher
from analysis.page.sections.statistics import statistics
from analysis.page.sections.table import table
from analysis.page.sections.troubles import controls, failures
from analysis.page.sweep import Sweep
from analysis.page.wording import listed, several
from analysis.stats.importance import FEWEST

FIGURES = (heatmap, temperature, learning, forest, parallel, front, agreement, important, shares, seeds)
ABSENT = {  # why a figure is not there
    "heatmap": "alpha x temperature (not swept as a grid)",
    "temperature": "temperature curves (fewer than two temperatures in a grid)",
    "learning": "learning curves (no epochs of a finished run)",
    "forest": "gains (no baseline shares a finished seed with a distilled run)",
    "parallel": "parallel coordinates (fewer than two fields were swept)",
    "front": "accuracy against cost (nothing to draw)",
    "agreement": "agreement with the teacher (not recorded)",
    "important": f"importance of fields (that takes two swept fields and {FEWEST} cells)",
    "shares": "what the spread comes from (that takes two seeds of several cells)",
}


def sections(sweep: Sweep) -> list[Section]:
    """All of them; where no run has finished, those that need none."""
    found = [answer(sweep)]
    if len(sweep.finished):
        found += [table(sweep), figures(sweep), statistics(sweep)]
    found += [spec(sweep), teacher(sweep)] if len(sweep.runs) else []
    return [*found, failures(sweep), controls(sweep), cost(sweep), origin(sweep)]


def answer(sweep: Sweep) -> Section:
    """Three sentences for each group of comparable runs, below how far the sweep has come."""
    parts: list[Any] = [Text(line, "note") for line in (*sweep.trouble, *progress(sweep))]
    for heading, sentences in answered(sweep.runs, sweep.table, sweep.shares).items():
        parts += [Text(f"{heading}:" if heading else "", "lead"), Items(sentences)] if heading else [Items(sentences)]
    return Section("answer", "The answer", parts)


def progress(sweep: Sweep) -> list[str]:
    """'3 of 26 runs are still running': what is not over yet."""
    status = sweep.runs["status"].fillna("unfinished")
    running, unfinished = int((status == "running").sum()), int((status == "unfinished").sum())
    words = [f"{running:,} still running"] if running else []
    words += [f"{unfinished:,} begun or planned and not finished"] if unfinished else []
    if words:
        return [
            f"Of {several(len(sweep.runs), 'run')}, {listed(words)}: what follows is of the others, and may change."
        ]
    if sweep.about and not sweep.about.get("ended"):
        return ["The sweep has not written its end: it may still be running, or was stopped."]
    return []


def figures(sweep: Sweep) -> Section:
    """The figures that fit, and in a line those that do not."""
    drawn = {function.__name__: function(sweep) for function in FIGURES}
    missing = [why for name, why in ABSENT.items() if drawn[name] is None]
    parts = [plot for plot in drawn.values() if plot is not None]
    said = [Text(f"Not drawn: {'; '.join(missing)}.", "note")] if missing else []
    return Section("plots", "Plots", [*parts, *said])
