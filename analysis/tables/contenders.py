"""Students and a budget (``stats.budget.judged``) -> Markdown: those on the front, which to take, how sure that is."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.stats.budget import MILLISECONDS, Budget
from analysis.stats.front import SETTING
from analysis.tables.grid import ABSENT, described, heading, percent, varying
from analysis.tables.words import aligned

HEAD = """# The best student for a budget

Test accuracy after the last epoch in %: mean ± half of the 95 % interval of that mean over n seeds (t), none for n=1.
Of each student that cell is shown which its validation accuracy chooses, distilled or not. The students are then
compared by test accuracy, which still flatters the one that leads: of equals the luckiest on the test set does.
Without a teacher: the same student, not distilled. Front: no other student is as accurate at a smaller size (size), or
at a lower latency on the same device (latency). Latency: one image through the trained student on the run's device,
median over the cell's runs, with other runs beside it; those of different devices are never compared."""
WORDS = ("method", "mode", "temperature", "alpha")  # which are said of every cell
SIGNS = {"temperature": "T ", "alpha": "α ", "mode": "", "method": ""}


def report(table: pd.DataFrame, runs: pd.DataFrame, budget: Budget) -> str:
    """A section for each data set and protocol; of what has no student to show it says why."""
    parts = [HEAD, _limits(budget)]
    for key, group in table.groupby([*SETTING], dropna=False, sort=True):
        parts.append(_section(heading([*SETTING], [str(value) for value in key]), group, runs, budget))
    if table.empty:
        parts.append("No student has a cell whose runs have all finished: there is nothing to choose from.")
    return "\n\n".join([*parts, *_left_out(table, runs)]) + "\n"


def _limits(budget: Budget) -> str:
    limits = [
        "" if budget.max_parameters is None else f"at most {budget.max_parameters:,} parameters",
        "" if budget.max_latency_ms is None else f"at most {budget.max_latency_ms:g} ms an image",
        "" if budget.min_accuracy is None else f"at least {budget.min_accuracy:g} % test accuracy, the smallest",
    ]
    return f"Budget: {', '.join(filter(None, limits)) or 'none, so the most accurate'}."


def _section(title: str, group: pd.DataFrame, runs: pd.DataFrame, budget: Budget) -> str:
    shown = group[group["by_size"] | group["by_latency"] | group["chosen"]]
    chosen: list[Any] = list(group[group["chosen"]].itertuples(index=False))
    lines = [line for cell in chosen for line in _answer(cell, group, budget)] or [_nothing_fits(group, budget)]
    lines += [*_cautions(group, runs), *_beaten(group.drop(shown.index))]
    return f"## {title}\n\n" + "\n".join(f"- {line}" for line in lines) + f"\n\n{_students(shown, group)}"


def _students(shown: pd.DataFrame, group: pd.DataFrame) -> str:
    devices = group["device"].nunique(dropna=False) > 1
    header = ["", "student", "how", "epochs", "test accuracy", "without a teacher", "n", "parameters", "latency (ms)"]
    rows = [[*header, *(["device"] if devices else []), "teacher agreement (%)", "validation (%)", "front"]]
    cells: list[Any] = list(shown.itertuples(index=False))
    for cell, how in zip(cells, _how(shown, group), strict=True):
        without = _mean(cell.without_teacher, cell.without_half_width)
        score = ABSENT if cell.protocol == "published" else percent(cell.selected_by)
        rows.append([
            "★" if cell.chosen else "", str(cell.student), how, str(cell.epochs),
            _mean(cell.mean, cell.half_width), without, str(cell.n), _count(cell.parameters), _time(cell),
            *([_word(cell.device)] if devices else []),
            ABSENT if pd.isna(cell.teacher_agreement) else percent(cell.teacher_agreement), score, _fronts(cell),
        ])  # fmt: skip
    if group["latency_seconds"].isna().all():
        return f"{aligned(rows)}\n\nLatencies: none was recorded."
    where = "" if devices else f"\n\nLatencies: on {_word(group['device'].iloc[0])}."
    return aligned(rows) + where


def _how(shown: pd.DataFrame, group: pd.DataFrame) -> list[str]:
    """'kd kl T 4 α 0.5', 'not distilled', with what else tells the students' cells apart."""
    said = {*SETTING, *WORDS, "student", "epochs"}
    fields = [*WORDS, *(name for name in varying(group) if name not in said)]
    found = []
    for cell, words in zip(shown.itertuples(index=False), described(shown, fields), strict=True):
        pairs = [(name, word) for name, word in zip(fields, words, strict=True) if word not in (ABSENT, "none")]
        text = " ".join(f"{SIGNS.get(name, f'{name} ')}{word}" for name, word in pairs)
        found.append(" ".join(filter(None, ["not distilled" if cell.is_baseline else "", text])))
    return found


def _answer(cell: Any, group: pd.DataFrame, budget: Budget) -> list[str]:
    """The one to take, and whether the next ones on its front are really better or worse."""
    where = f" on {_word(cell.device)}" if budget.max_latency_ms is not None else ""
    lines = [f"★ **{cell.student}**{where}: {_why(budget)}, {_cost(cell, budget)}: {_accuracy(cell)}."]
    lines += _doubts(cell)
    least = cell.mean if pd.isna(cell.half_width) else cell.mean - cell.half_width
    if budget.min_accuracy is not None and 100 * least < budget.min_accuracy:
        lines.append(f"Its interval reaches below {budget.min_accuracy:g} %: that it is accurate enough is not sure.")
    front = group[group["by_size"] | group["by_latency"]]
    if budget.max_latency_ms is not None:
        front = front[front["device"] == cell.device]
    better, worse = front[front["mean"] > cell.mean], front[front["mean"] < cell.mean]
    rivals: list[Any] = [*better.nsmallest(1, "mean").itertuples(), *worse.nlargest(1, "mean").itertuples()]
    return lines + [_rival(rival, cell, budget) for rival in rivals]


def _doubts(cell: Any) -> list[str]:
    """What may be held against a choice: that others tie with it, and that it needed no teacher."""
    by = "test accuracy" if cell.protocol == "published" else "validation"
    lines = [f"Its cell is the first of {cell.tied + 1} that tie by {by}."] if cell.tied else []
    if cell.is_baseline or pd.isna(cell.without_teacher) or cell.without_teacher < cell.mean:
        return lines
    without = f"{_mean(cell.without_teacher, cell.without_half_width)} (n={cell.without_n})"
    return [*lines, f"Not distilled, the same student is no worse: {without}."]


def _why(budget: Budget) -> str:
    if budget.min_accuracy is not None:
        others = budget.max_parameters is not None or budget.max_latency_ms is not None
        return "the smallest that is accurate enough" + (", and fits" if others else "")
    return "the most accurate" + ("" if budget == Budget() else " that fits")


def _rival(rival: Any, cell: Any, budget: Budget) -> str:
    apart = float(rival.mean) - float(cell.mean)
    side = f"{percent(abs(apart))} points {'more' if apart > 0 else 'less'} accurate"
    place = "The next better one" if apart > 0 else "The next one below"
    out = "" if rival.fits else ", which does not fit"
    return f"{place}, {rival.student} ({_cost(rival, budget)}){out}, is {side}: {_noise(apart, rival, cell)}."


def _noise(apart: float, rival: Any, cell: Any) -> str:
    if pd.isna(rival.half_width) or pd.isna(cell.half_width):
        return "with one seed nothing says whether that is more than noise"
    both = (float(rival.half_width) ** 2 + float(cell.half_width) ** 2) ** 0.5
    if abs(apart) > both:
        return f"more than the noise of both (± {percent(both)})"
    return f"within the noise of both (± {percent(both)}), so these runs do not tell them apart"


def _nothing_fits(group: pd.DataFrame, budget: Budget) -> str:
    """What the nearest to each limit has."""
    words = [f"the most accurate reaches {percent(group['mean'].max())} % ({_at(group, 'mean', 'idxmax')})"]
    if budget.max_parameters is not None and group["parameters"].notna().any():
        words.append(f"the smallest has {_count(group['parameters'].min())} parameters ({_at(group, 'parameters')})")
    if budget.max_latency_ms is not None:
        known = group["latency_seconds"].notna().any()
        times = MILLISECONDS * group["latency_seconds"]
        fastest = f"the fastest takes {times.min():.3g} ms ({_at(group, 'latency_seconds')})" if known else ""
        words.append(fastest or "no latency was recorded")
    return f"**Nothing fits the budget.** Of {_students_word(len(group))} {'; '.join(words)}."


def _cautions(group: pd.DataFrame, runs: pd.DataFrame) -> list[str]:
    found = []
    if group["epochs"].nunique() > 1:
        budgets = ", ".join(str(number) for number in sorted(set(group["epochs"].dropna())))
        found.append(
            f"The students were trained for different numbers of epochs ({budgets}), each is shown at its longest: "
            "part of what lies between them is the training, not the network."
        )
    if (group["protocol"] == "published").any():
        found.append("Under protocol published THE TEST SET chooses each student's cell too: biased upwards.")
    kept = runs[(runs["status"] == "finished") & (runs["method"] != "none") & runs["dataset"].isin(group["dataset"])]
    if (kept["protocol"] != "published").any() and (kept["teacher_saw_validation"] != "no").any():
        found.append("A teacher may have trained on the validation images, which flatters what they choose.")
    return found


def _beaten(group: pd.DataFrame) -> list[str]:
    words = [f"{cell.student} ({_count(cell.parameters)} parameters, {_accuracy(cell)})" for cell in group.itertuples()]
    return [f"On no front, since the mean of another that costs less is as high: {'; '.join(words)}."] if words else []


def _left_out(table: pd.DataFrame, runs: pd.DataFrame) -> list[str]:
    by = [*SETTING, "student"]
    missing = sorted({*_keys(runs, by)} - {*_keys(table, by)})
    words = ", ".join(f"{student} on {dataset} ({protocol})" for dataset, protocol, student in missing)
    return [f"Left out, since no cell has finished all of its runs with a score to choose by: {words}."] * bool(words)


def _keys(table: pd.DataFrame, by: list[str]) -> list[tuple[str, ...]]:
    return [tuple(map(_word, row)) for row in table[by].itertuples(index=False)]


def _cost(cell: Any, budget: Budget) -> str:
    words = [f"{_count(cell.parameters)} parameters"]
    return ", ".join(words + [f"{_time(cell)} ms"] * (budget.max_latency_ms is not None))


def _accuracy(cell: Any) -> str:
    return f"{_mean(cell.mean, cell.half_width)} (n={cell.n})"


def _mean(mean: Any, half_width: Any) -> str:
    if pd.isna(mean):
        return ABSENT
    return percent(mean) + ("" if pd.isna(half_width) else f" ± {percent(half_width)}")


def _count(parameters: Any) -> str:
    return ABSENT if pd.isna(parameters) else f"{int(parameters):,}"


def _time(cell: Any) -> str:
    return ABSENT if pd.isna(cell.latency_seconds) else f"{MILLISECONDS * cell.latency_seconds:.3g}"


def _fronts(cell: Any) -> str:
    names = [name for name, on in (("size", cell.by_size), ("latency", cell.by_latency)) if on]
    return ", ".join(names) or ABSENT


def _at(group: pd.DataFrame, column: str, extreme: str = "idxmin") -> str:
    return str(group.loc[getattr(group[column].astype("float64"), extreme)(), "student"])


def _students_word(n: int) -> str:
    return f"{n} student{'s' if n > 1 else ''}"


def _word(value: Any) -> str:
    return ABSENT if pd.isna(value) else str(value)
