"""What a sweep says, in three sentences with their uncertainty: the best setting, all settings, luck."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from analysis.stats.cells import COMPARABLE
from analysis.stats.differences import differences
from analysis.stats.power import MOST, seeds_needed
from analysis.stats.variance import LUCK, REST, variance_shares
from analysis.tables.grid import ABSENT, described, heading, percent, varying
from analysis.tables.words import interval_words

WORTH = 0.005  # a difference in accuracy that a reader may care to see
SHOWN = 2  # fields named beside luck


def answers(runs: pd.DataFrame) -> dict[str, list[str]]:
    """Three sentences for each data set, student, budget and protocol, by what tells it from the others ('' for one).

    What cannot be said, without a baseline, with one seed, with no finished run, is said not to be.
    """
    table = differences(runs)
    if not table["n"].sum():
        return {"": [_nothing(table)]}
    shares = variance_shares(runs)
    found = {}
    for key, group in table.groupby([*COMPARABLE], dropna=False, sort=True):
        fields = [name for name in varying(table) if name in COMPARABLE]
        here = (shares[[*COMPARABLE]].astype("string").fillna("") == [str(value) for value in key]).all(axis=1)
        title = heading(fields, described(group, fields)[0])
        found[title] = [*_best(group), *_all(group), *_luck(group, shares[here])]
    return found


def _nothing(table: pd.DataFrame) -> str:
    counts = {name: int(table[f"n_{name}"].sum()) for name in ("failed", "stopped", "unfinished")}
    words = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    return f"No run has finished ({words}), so there is no answer yet." if words else "No run has finished."


def _best(group: pd.DataFrame) -> list[str]:
    best = group[group["best"]]
    if best.empty:
        return ["No distilled setting has finished all of its runs with a score to select by, so there is no best one."]
    cell: Any = next(best.itertuples(index=False))
    name, published = _words(group, best), cell.protocol == "published"
    chosen = "chosen on the test set itself and so flattered" if published else "chosen by validation"
    seeds = "one seed" if cell.n == 1 else f"{cell.n} seeds"
    reached = f"The best setting, {chosen}, is {name}: {percent(cell.mean)} % test accuracy over {seeds}"
    return [f"{reached}{_gain(cell, bool(group['is_baseline'].any()))}."]


def _gain(cell: Any, baseline: bool) -> str:
    if not baseline:
        return "; no undistilled baseline was run, so whether distillation helped is not known"
    if pd.isna(cell.difference):
        return "; it shares no finished seed with the undistilled baseline, so what it gained is not known"
    said = f", {_points(cell.difference)} than the undistilled student"
    if pd.isna(cell.family_low):
        why = "with a single seed" if cell.n == 1 else "without any spread between seeds"
        return f"{said}; {why} that cannot be told from luck"
    shown = "a gain is shown" if cell.family_low > 0 else "a loss is shown" if cell.family_high < 0 else ""
    over = f"over all {cell.comparisons} settings at once " if cell.comparisons > 1 else ""
    between = (
        f"{over}the 95 % interval of that difference is {interval_words(cell.family_low, cell.family_high)} points"
    )
    return f"{said}; {between}, so {shown or 'neither a gain nor a loss is shown'}"


def _points(difference: float) -> str:
    return f"{percent(abs(difference))} points {'more' if round(difference, 4) >= 0 else 'less'}"


def _words(group: pd.DataFrame, best: pd.DataFrame) -> str:
    rivals = group[group["control"].fillna("none") == "none"]  # what tells it from a control goes without saying
    fields = [name for name in varying(rivals) if name not in COMPARABLE]
    pairs = zip(fields, described(best, fields)[0], strict=True)
    known = [(name, word) for name, word in pairs if word != ABSENT]
    return heading([name for name, _ in known], [word for _, word in known]) or "the only one"


def _all(group: pd.DataFrame) -> list[str]:
    tried = group[~group["is_baseline"] & (group["control"].fillna("none") == "none")]
    known = tried[tried["family_low"].notna()]
    if known.empty:
        return []
    better, worse = int((known["family_low"] > 0).sum()), int((known["family_high"] < 0).sum())
    open_ = len(known) - better - worse
    unknown = len(tried) - len(known)
    counts = f"{better} {_are(better)} better than the baseline beyond luck, {worse} worse, {open_} undecided"
    rest = f"; {unknown} more {'has' if unknown == 1 else 'have'} too few finished runs to say" if unknown else ""
    return [f"Of {len(known)} setting{'s' * (len(known) > 1)} compared with the baseline {counts}{rest}."]


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _luck(group: pd.DataFrame, shares: pd.DataFrame) -> list[str]:
    spread, words = _spread(group, shares)
    if spread is None:
        return ["How much the seed alone moves a run is not known: that takes two seeds or more of several settings."]
    seeds = seeds_needed(spread, [WORTH])["seeds"].iloc[0]
    needed = f"more than {MOST}" if pd.isna(seeds) else f"about {seeds}"
    wanted = f"to see a difference of {percent(WORTH).rstrip('0')} points with 80 % certainty takes {needed} seeds each"
    return [f"The seed alone moves a run by {words} (standard deviation{_parts(shares)}); {wanted}."]


def _spread(group: pd.DataFrame, shares: pd.DataFrame) -> tuple[float | None, str]:
    """The sd of a run about its setting and seed, and in words; of the best setting where the settings differ."""
    known = group[group["residual_sd"].notna() & (group["control"].fillna("none") == "none")]
    pooled = known[known["pooled"].fillna(False)]
    if len(pooled):
        sd = float(pooled["residual_sd"].iloc[0])
    elif len(known):
        low, high = known["residual_sd"].min(), known["residual_sd"].max()
        best = known.loc[known["best"], "residual_sd"]
        sd = float(best.iloc[0] if len(best) else known["residual_sd"].median())
        return sd, f"{percent(low)} to {percent(high)} points, by the setting, {percent(sd)} at the best one"
    elif (shares["source"] == REST).any():  # without a baseline there are no differences
        rest = shares[shares["source"] == REST]
        sd = float((rest["sum_of_squares"] / rest["df"]).iloc[0]) ** 0.5
    else:
        return None, ""
    return sd, f"{percent(sd)} points"


def _parts(shares: pd.DataFrame) -> str:
    if shares.empty:
        return ""
    luck = shares["source"].isin(LUCK)
    settings = shares[~luck].sort_values("share", ascending=False).head(SHOWN)
    words = ", ".join(f"{row.source} {row.share:.0%}" for row in settings.itertuples(index=False)).replace("%", " %")
    left = int(shares["left_out"].iloc[0])
    without = f", {left} diverged setting{'s' * (left > 1)} left out" if left else ""
    total = np.round(100 * shares.loc[luck, "share"].sum())
    return f", {total:.0f} % of the variance between distilled runs, against {words}{without}"
