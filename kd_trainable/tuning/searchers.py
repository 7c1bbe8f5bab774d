"""Searchers by name: who proposes the next cell. A cell runs on all seeds, and its proposer is told their mean.

What a proposer must remember lies in a file from the start, so the same command proposes only what remains.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from kd_trainable.tuning.space import Between, Cell, Space, identity, is_cell
from kd_trainable.vocabulary import InputError

REPEATS = 50  # proposals in a row that only repeat known cells, after which a finite space counts as walked


class Outcome(NamedTuple):
    """How a cell went: complete (mean over its seeds), pruned (mean where it was stopped), failed, or open still."""

    state: str
    value: float | None = None
    epoch: int | None = None


@runtime_checkable
class Proposer(Protocol):
    """Proposes cells, and hears how they went. ``past``: cells of earlier commands. ``exhausted``: none are to come."""

    def past(self) -> list[Cell]: ...

    def exhausted(self) -> bool: ...

    def ask(self) -> tuple[Any, Cell] | None: ...

    def tell(self, ticket: Any, outcome: Outcome) -> None: ...


class Listed:
    """Cells known beforehand: a grid, or a random draw."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self.cells = list(cells)
        self.next = 0

    def past(self) -> list[Cell]:
        return []

    def exhausted(self) -> bool:
        return self.next >= len(self.cells)

    def ask(self) -> tuple[Any, Cell] | None:
        if self.next >= len(self.cells):
            return None
        self.next += 1
        return self.next - 1, self.cells[self.next - 1]

    def tell(self, ticket: Any, outcome: Outcome) -> None:
        return


class Tpe:
    """Optuna's TPE. Its study is a journal file; cells that were under way when it was last closed come first.

    Every proposed cell is distinct: a repetition is told as failed and another drawn, and a finite space is walked to
    its end, so ``samples`` is at most its size.
    """

    def __init__(self, space: Space, samples: int, journal: Path, key: str) -> None:
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        journal.parent.mkdir(parents=True, exist_ok=True)
        self.space = space
        self.finite = None if space.ranges else space.cells()
        self.samples = samples if self.finite is None else min(samples, len(self.finite))
        self.states = optuna.trial.TrialState
        try:
            storage = JournalStorage(JournalFileBackend(str(journal)))
            if any(study.study_name == key for study in storage.get_all_studies()):
                self.study = optuna.load_study(study_name=key, storage=storage)  # which writes nothing
            else:
                self.study = optuna.create_study(study_name=key, storage=storage, direction="maximize")
            trials = self.study.get_trials(deepcopy=False)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, AssertionError) as error:
            raise InputError(f"storage: {journal} is not a sweep's study ({' '.join(str(error).split())})") from None
        ours = [t for t in trials if is_cell(space, t.user_attrs.get("cell"))]
        # a sampler that began again with the same seed would propose its first cells again
        seed = space.seeds[0] + 1000 * len(ours)
        self.study.sampler = optuna.samplers.TPESampler(constant_liar=True, seed=seed)
        self.resumed = [t for t in ours if t.state == self.states.RUNNING]
        self.earlier = [t.user_attrs["cell"] for t in ours]
        self.known = {self._same(t.user_attrs["cell"]) for t in ours}

    def past(self) -> list[Cell]:
        return self.earlier

    def exhausted(self) -> bool:
        return not self.resumed and len(self.known) >= self.samples

    def ask(self) -> tuple[Any, Cell] | None:
        if self.resumed:
            trial = self.resumed.pop(0)
            return trial.number, trial.user_attrs["cell"]
        for _ in range(REPEATS if not self.exhausted() else 0):
            if (asked := self._try()) is not None:
                return asked
        if self.exhausted() or self.finite is None:
            return None
        unseen = next(cell for cell in self.finite if self._same(cell) not in self.known)
        self.study.enqueue_trial(self._parameters(unseen))
        return self._try()

    def _try(self) -> tuple[Any, Cell] | None:
        trial = self.study.ask()
        cell = self._draw(trial)
        same = self._same(cell)
        if same in self.known:
            self.study.tell(trial, state=self.states.FAIL)  # known already: it teaches nothing new
            return None
        trial.set_user_attr("cell", cell)
        self.known.add(same)
        return trial.number, cell

    def _same(self, cell: Cell) -> str:
        return identity(self.space.spec(cell, 0))

    def _parameters(self, cell: Cell) -> dict[str, Any]:
        """A cell of a finite space as the parameters that ``_draw`` would suggest for it."""
        for number, block in enumerate(self.space.blocks):
            if block.keys() == cell.keys() and all(cell[name] in values for name, values in block.items()):
                several = {name: json.dumps(cell[name]) for name, values in block.items() if len(values) > 1}
                return several | ({"block": number} if len(self.space.blocks) > 1 else {})
        raise ValueError(f"{cell} is not of this space")

    def tell(self, ticket: Any, outcome: Outcome) -> None:
        trial = self.study.get_trials(deepcopy=False)[ticket]
        if trial.state.is_finished():
            return
        if outcome.state == "complete":
            self.study.tell(ticket, outcome.value)
        elif outcome.state == "pruned":
            if outcome.value is not None and outcome.epoch is not None:
                storage = self.study._storage  # a trial resumed by number has no public way to report
                storage.set_trial_intermediate_value(trial._trial_id, outcome.epoch, outcome.value)
            self.study.tell(ticket, state=self.states.PRUNED)
        else:
            self.study.tell(ticket, state=self.states.FAIL)

    def _draw(self, trial: Any) -> dict[str, Any]:
        block = self.space.blocks[0]
        if len(self.space.blocks) > 1:
            block = self.space.blocks[trial.suggest_categorical("block", range(len(self.space.blocks)))]
        return {name: _suggest(trial, name, values) for name, values in block.items()}


def _suggest(trial: Any, name: str, values: Any) -> Any:
    if isinstance(values, Between):
        return trial.suggest_float(name, values.low, values.high, log=values.log)
    if len(values) == 1:
        return values[0]
    choices = {json.dumps(v): v for v in values}  # a schedule is a list, which optuna would not take as a choice
    return choices[trial.suggest_categorical(name, list(choices))]


def grid(space: Space, samples: int | None, journal: Path, key: str) -> Proposer:
    """Every cell of the grid."""
    return Listed(space.cells())


def random(space: Space, samples: int | None, journal: Path, key: str) -> Proposer:
    """``samples`` distinct cells, drawn evenly; a space always draws the same, a longer draw goes on from a shorter."""
    return Listed(draw_random(space, samples or 1))


def optuna_tpe(space: Space, samples: int | None, journal: Path, key: str) -> Proposer:
    """``samples`` distinct cells, proposed by TPE from how the earlier ones went."""
    return Tpe(space, samples or 1, journal, key)


SEARCHERS: dict[str, Callable[[Space, int | None, Path, str], Proposer]] = {
    "grid": grid,
    "random": random,
    "optuna": optuna_tpe,
}


def draw_random(space: Space, samples: int) -> list[Cell]:
    """The first ``samples`` distinct cells of the space's own random sequence (fewer where it has fewer)."""
    rng = np.random.default_rng(int(study_key(space), 16))
    seen: dict[str, Cell] = {}
    repeats = 0
    while len(seen) < samples and repeats < REPEATS * max(1, len(seen)):
        block = space.blocks[int(rng.integers(len(space.blocks)))]
        cell = {name: _drawn(rng, values) for name, values in block.items()}
        same = identity(space.spec(cell, 0))
        repeats = repeats + 1 if same in seen else 0
        seen.setdefault(same, cell)
    return list(seen.values())


def _drawn(rng: np.random.Generator, values: Any) -> Any:
    if not isinstance(values, Between):
        return values[int(rng.integers(len(values)))]
    if values.log:
        return float(np.exp(rng.uniform(np.log(values.low), np.log(values.high))))
    return float(rng.uniform(values.low, values.high))


DECIDING = ("method", "mode", "optimizer", "schedule", "patience")  # fields that decide whether others matter


def study_key(space: Space, *fingerprints: str) -> str:
    """Names a space, its fixed fields and seeds, and for a study the data and teacher too."""
    blocks = [{k: str(v) for k, v in block.items()} for block in space.blocks]
    parts: list[Any] = [identity(space.spec({}, 0)), blocks, list(map(int, space.seeds)), fingerprints]
    if any(name in DECIDING for block in space.blocks for name in block):
        # what is fixed for some of the cells only, which the first part's spec may know nothing of
        parts.append({name: str(value) for name, value in space.fixed.items()})
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def mean_outcome(rows: Sequence[Mapping[str, Any]], metric: str) -> Outcome:
    """What a cell's proposer is told of its seeds' results: their mean at the last epoch that all of them reached."""
    if any(row["status"] == "lost" or row.get("error_kind") == "exception" for row in rows):
        return Outcome("open")  # its runs are tried again
    states, epoch = {row["status"] for row in rows}, min(int(row.get("epochs_run", 0)) for row in rows)
    if not states <= {"finished", "stopped"} or not epoch:
        return Outcome("failed")
    if states == {"finished"}:  # early stopping may have ended one before the others
        return Outcome("complete", float(np.mean([row["history"][-1][metric] for row in rows])))
    return Outcome("pruned", float(np.mean([row["history"][epoch - 1][metric] for row in rows])), epoch)
