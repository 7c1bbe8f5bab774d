"""Which of the swept fields mattered, by Optuna's evaluators; they measure different things, so each is named."""

from __future__ import annotations

import warnings
from typing import Any

import pandas as pd

from analysis.stats.cells import COMPARABLE, cells, is_control
from analysis.stats.swept import swept

EVALUATORS = {"fANOVA": "FanovaImportanceEvaluator", "MDI": "MeanDecreaseImpurityImportanceEvaluator",
              "PED-ANOVA": "PedAnovaImportanceEvaluator"}  # fmt: skip
FEWEST = 8  # cells; of fewer nothing can be said
TENTH = 80  # cells, so that the best tenth is eight: of two or three PED-ANOVA sees but their chance likeness
FLOAT32_MAX = 3e38
COLUMNS = (*COMPARABLE, "evaluator", "field", "importance", "cells")


def importance(runs: pd.DataFrame) -> pd.DataFrame:
    """One row an evaluator and swept field, for each data set, student, budget and protocol; adds up to 1 over fields.

    It rests on what selects (``selected_by`` of ``cells``: validation accuracy, under protocol published test) of the
    distilled cells whose runs have all finished (``cells``: how many), seeds averaged, controls left out; so no run
    that was stopped early stands beside a whole one. Evaluators (optuna.importance): fANOVA (Hutter et al. 2014) and
    MDI, variance explained over all of the space, by random forests; PED-ANOVA (Watanabe et al. 2023), what tells the
    best tenth from the rest, from ``TENTH`` cells on. They may disagree. No rows with fewer than ``FEWEST`` cells, or
    where all are alike.
    """
    return importance_of(cells(runs))


def importance_of(table: pd.DataFrame) -> pd.DataFrame:
    """``importance`` from a table of cells."""
    tried = table[~table["is_baseline"] & table["selected_by"].notna() & ~is_control(table)]
    found: list[dict[str, Any]] = []
    for key, group in tried.groupby([*COMPARABLE], dropna=False, sort=True):
        where = dict(zip(COMPARABLE, key, strict=True))
        found += [where | row for row in _evaluated(group)]
    return pd.DataFrame(found, columns=[*COLUMNS])


def _evaluated(group: pd.DataFrame) -> list[dict[str, Any]]:
    fields = {name: _values(group[name]) for name in swept(group)}
    if len(group) < FEWEST or not fields or group["selected_by"].nunique() < 2:
        return []
    import optuna  # half a second, and scikit-learn behind it

    study = _study(fields, [float(score) for score in group["selected_by"]])
    rows = []
    for name, kind in EVALUATORS.items():
        if name == "PED-ANOVA" and len(group) < TENTH:
            continue
        evaluator = getattr(optuna.importance, kind)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            seeded = evaluator() if name == "PED-ANOVA" else evaluator(seed=0)
            shares = optuna.importance.get_param_importances(study, evaluator=seeded)
        rows += [
            {"evaluator": name, "field": field, "importance": float(share), "cells": len(group)}
            for field, share in shares.items()
        ]
    return rows


def _values(column: pd.Series) -> list[Any]:
    """Numbers where all are, in the float32 of scikit-learn's forests; else words, missing values among them."""
    if pd.api.types.is_numeric_dtype(column) and column.notna().all() and (column.abs() < FLOAT32_MAX).all():
        return [float(value) for value in column]
    return ["none" if pd.isna(value) else str(value) for value in column]


def _study(fields: dict[str, list[Any]], values: list[float]) -> Any:
    from optuna import create_study, logging
    from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
    from optuna.trial import create_trial

    def distribution(options: list[Any]) -> BaseDistribution:
        if isinstance(options[0], float):
            return FloatDistribution(min(options), max(options))
        return CategoricalDistribution(sorted(set(options)))

    logging.set_verbosity(logging.WARNING)
    space = {name: distribution(options) for name, options in fields.items()}
    study = create_study(direction="maximize")
    for i, value in enumerate(values):
        params = {name: options[i] for name, options in fields.items()}
        study.add_trial(create_trial(params=params, distributions=space, value=value))
    return study
