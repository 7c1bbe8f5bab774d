"""The figures by name. A line holds where the function is: importing this table imports none of them."""

from __future__ import annotations

from importlib import import_module
from typing import NamedTuple

import pandas as pd
from matplotlib.figure import Figure


class Entry(NamedTuple):
    """A figure: ``module:function`` of this folder, what it shows, and whether it takes the epochs beside the runs."""

    target: str
    about: str
    epochs: bool = False


FIGURES = {
    "heatmap": Entry("heatmap:heatmap", "alpha x temperature, gain over the baseline"),
    "temperature_curves": Entry("temperature:temperature_curves", "accuracy against T, a line for each alpha"),
    "methods": Entry("dots:dots", "methods, students or tricks, a line for each"),
    "cells": Entry("ranking:ranking", "every cell, ranked"),
    "differences": Entry("forest:differences", "difference to the baseline, both intervals"),
    "variance": Entry("variance:variance", "share of the seed and of each swept field in the variance"),
    "importance": Entry("important:importance", "which fields mattered, by three evaluators"),
    "learning_curves": Entry("learning:learning_curves", "test accuracy against the epoch", epochs=True),
    "parallel_coordinates": Entry("parallel:parallel_coordinates", "all that was swept, coloured by accuracy"),
    "agreement": Entry("agreement:agreement", "agreement with the teacher against accuracy"),
    "pareto": Entry("pareto:pareto", "accuracy against size and latency, with the fronts"),
    "published": Entry("published:published", "published numbers against ours"),
}


def draw(name: str, runs: pd.DataFrame, epochs: pd.DataFrame | None = None) -> Figure:
    """The figure of that name. Raises ValueError, with the reason in a line, where it does not fit these runs."""
    entry = FIGURES[name]
    module, _, function = entry.target.partition(":")
    made = getattr(import_module(f"analysis.plots.{module}"), function)
    figure: Figure = made(runs, epochs) if entry.epochs else made(runs)
    return figure
