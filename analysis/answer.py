"""What a sweep says, in three sentences with their uncertainty: the best setting, all settings, luck."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.stats.cells import COMPARABLE, is_control, is_whole
from analysis.stats.differences import differences
from analysis.stats.power import MOST, seeds_needed
from analysis.stats.variance import LUCK, REST, variance_shares_of
from analysis.tables.grid import ABSENT, described, heading, percent, varying
from analysis.tables.words import interval_words

WORTH = 0.005  # a difference in accuracy that a reader may care to see
NAMING = ("method", "mode", "temperature", "alpha")  # of a setting that has no like
SHOWN = 2  # fields named beside luck


def answers(runs: pd.DataFrame) -> dict[str, list[str]]:
    """Three sentences for each data set, student, budget and protocol, by what tells it from the others ('' for one).

    What cannot be said, without a baseline, with one seed, with no finished run, is said not to be.
    """
    table = differences(runs)
    return answered(runs, table, variance_shares_of(table))


def answered(runs: pd.DataFrame, table: pd.DataFrame, shares: pd.DataFrame) -> dict[str, list[str]]:
    """``answers`` from ``differences(runs)`` and ``variance_shares(runs)``."""
    if not table["n"].sum():
        return {"": [_nothing(runs, table)]}
    found = {}
    for key, group in table.groupby([*COMPARABLE], dropna=False, sort=True):
        fields = [name for name in varying(table) if name in COMPARABLE]
        here = (shares[[*COMPARABLE]].astype("string").fillna("") == [str(value) for value in key]).all(axis=1)
        title = heading(fields, described(group, fields)[0])
        found[title] = [*_best(group), *_all(group), *_luck(group, shares[here])]
    return found


def _nothing(runs: pd.DataFrame, table: pd.DataFrame) -> str:
    finished = int((runs["status"] == "finished").sum())
    if finished:
        runs_of = "the one finished run" if finished == 1 else f"all {finished} finished runs"
        return f"The test accuracy of {runs_of} is missing, so there is no answer."
    counts = {name: int(table[f"n_{name}"].sum()) for name in ("failed", "stopped", "unfinished")}
    words = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    return f"No run has finished ({words}), so there is no answer yet." if words else "No run has finished."


def _best(group: pd.DataFrame) -> list[str]:
    best = group[group["best"]]
    if group["is_baseline"].all():
        return ["Nothing was distilled, so there is no gain to speak of."]
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
        return "; no undistilled baseline of its recipe shares a finished seed with it, so what it gained is not known"
    said = f", {_points(cell.difference)} the undistilled student"
    if pd.isna(cell.family_low):
        why = "with a single seed" if cell.n == 1 else "with too few seeds, or none that differ,"
        return f"{said}; {why} that cannot be told from luck"
    shown = "a gain is shown" if cell.family_low > 0 else "a loss is shown" if cell.family_high < 0 else ""
    over = f"over all {cell.comparisons} settings at once " if cell.comparisons > 1 else ""
    between = (
        f"{over}the 95 % interval of that difference is {interval_words(cell.family_low, cell.family_high)} points"
    )
    return f"{said}; {between}, so {shown or 'neither a gain nor a loss is shown'}"


def _points(difference: float) -> str:
    if not round(difference, 4):
        return "the same as"
    return f"{percent(abs(difference))} points {'more' if difference > 0 else 'less'} than"


def _words(group: pd.DataFrame, best: pd.DataFrame) -> str:
    rivals = group[~is_control(group)]  # what tells it from a control goes without saying
    fields = [name for name in varying(rivals) if name not in COMPARABLE]
    pairs = zip(fields, described(best, fields)[0], strict=True)
    known = [(name, word) for name, word in pairs if word != ABSENT]
    if not known:  # the only one
        known = [
            (name, word) for name, word in zip(NAMING, described(best, [*NAMING])[0], strict=True) if word != ABSENT
        ]
    return heading([name for name, _ in known], [word for _, word in known])


def _all(group: pd.DataFrame) -> list[str]:
    tried = group[~group["is_baseline"] & ~is_control(group)]
    known = tried[tried["family_low"].notna() & is_whole(tried)]
    if known.empty:
        return []
    # as a reader sees them: 'worse' with an interval that ends at 0.00 would be no answer
    low, high = (known[name].astype("float64").round(4) for name in ("family_low", "family_high"))
    better, worse = int((low > 0).sum()), int((high < 0).sum())
    open_ = len(known) - better - worse
    unknown = len(tried) - len(known)
    counts = f"{better} {_are(better)} better than the baseline beyond luck, {worse} worse, {open_} undecided"
    rest = f"; {unknown} more {'has' if unknown == 1 else 'have'} too few finished runs to say" if unknown else ""
    return [f"Of {len(known)} setting{'s' * (len(known) > 1)} compared with the baseline {counts}{rest}."]


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _luck(group: pd.DataFrame, shares: pd.DataFrame) -> list[str]:
    spreads = _spreads(group, shares)
    if not spreads:
        return ["How much the seed alone moves a run is not known: that takes two seeds or more of several settings."]
    low, high = min(spreads), max(spreads)
    many = int(group["comparisons"].max()) if group["comparisons"].notna().any() else 1
    needed = [_needed(sd, many) for sd in (low, high)]
    sd = f"{percent(low)} points" if low == high else f"{percent(low)} to {percent(high)} points (by the setting)"
    seeds = f"about {needed[0]}" if low == high else f"{needed[0]} to {needed[1]}"
    over = f" over all {many} settings at once" if many > 1 else ""
    seen = f"to see {percent(WORTH).rstrip('0')} points{over} with 80 % certainty takes {seeds} seeds"
    return [f"Luck: {_parts(shares)}paired by seed, {sd} of standard deviation remain to a run, so {seen}."]


def _needed(sd: float, comparisons: int) -> str:
    seeds = seeds_needed(sd, [WORTH], comparisons)["seeds"].iloc[0]
    return f"more than {MOST}" if pd.isna(seeds) else str(seeds)


def _spreads(group: pd.DataFrame, shares: pd.DataFrame) -> list[float]:
    """The sd of a run about its setting and seed: the pooled one, or each setting's own where they differ."""
    known = group[group["residual_sd"].notna() & ~is_control(group)]
    pooled = known[known["pooled"].fillna(False)]
    if len(known):
        return [float(sd) for sd in (pooled["residual_sd"].head(1) if len(pooled) else known["residual_sd"])]
    rest = shares[shares["source"] == REST]  # without a baseline there are no differences
    return [float(squares / df) ** 0.5 for squares, df in zip(rest["sum_of_squares"], rest["df"], strict=True)]


def _parts(shares: pd.DataFrame) -> str:
    """'the seed moves a run by 0.90 points (standard deviation), 5 % of the variance between distilled runs; '."""
    if shares.empty:
        return ""
    luck = shares["source"].isin(LUCK)
    settings = shares[~luck].sort_values("share", ascending=False).head(SHOWN)
    pairs = zip(settings["source"], settings["share"], strict=True)
    words = ", ".join(f"{source} {100 * share:.0f} %" for source, share in pairs)
    left = int(shares["left_out"].iloc[0])
    without = f", {left} diverged setting{'s' * (left > 1)} left out" if left else ""
    share, sd = 100 * shares.loc[luck, "share"].sum(), float((shares.loc[luck, "sd"] ** 2).sum()) ** 0.5
    moved = f"the seed moves a run by {percent(sd)} points (standard deviation), {share:.0f} % of the variance between"
    return f"{moved} distilled runs, against {words}{without}; "
