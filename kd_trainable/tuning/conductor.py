"""A Tune searcher that hands out runs: a cell on all its seeds, what is done left out, its proposer told the mean."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from ray.tune.search import Searcher

from kd_trainable.spec import RunSpec
from kd_trainable.tuning.searchers import Listed, Proposer, mean_outcome
from kd_trainable.tuning.space import Space
from kd_trainable.vocabulary import InputError

Row = Mapping[str, Any]


class Conductor(Searcher):
    """``name_of`` names a spec's run; ``ended(spec_id)`` is its result if it counts as done, else None.

    ``close(spec_id, spec, report)`` is called when a trial has ended, with the last it reported (status 'lost' when its
    worker died), and returns the run's result, whatever it is.
    """

    def __init__(
        self,
        space: Space,
        proposer: Proposer,
        name_of: Callable[[RunSpec], str],
        ended: Callable[[str], Row | None],
        close: Callable[[str, RunSpec, Row], Row],
        metric: str,
    ) -> None:
        super().__init__(metric=metric, mode="max")
        self.space, self.proposer, self.column = space, proposer, metric
        self.name_of, self.ended, self.close = name_of, ended, close
        self.runs: dict[str, RunSpec] = {}  # every run of this sweep, by name, in order
        self.queue: deque[str] = deque()
        self.under_way: dict[str, str] = {}  # trial -> run
        self.rows: dict[str, Row] = {}
        self.causes: dict[str, str] = {}  # trial -> why it was lost
        self.broken: Exception | None = None  # what makes the results folder unusable
        self.waiting: list[tuple[Any, list[str]]] = []  # (ticket, the runs of its cell)
        for spec in space.runs([*space.baseline_cells(proposer.past()), *proposer.past()]):
            self._add(spec)
        if isinstance(proposer, Listed):
            self._take_all(proposer)

    def settled(self) -> bool:
        """Whether every run there will be has ended."""
        return not self.queue and not self.under_way and self.proposer.exhausted()

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles its searcher into its own experiment folder, which nothing resumes from

    def suggest(self, trial_id: str) -> Any:
        while not self.broken and not self.queue and self._take_cell():
            pass
        if self.broken or not self.queue:
            return Searcher.FINISHED
        name = self.queue.popleft()
        self.under_way[trial_id] = name
        return {**self.runs[name].flat(), "spec_id": name}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        name = self.under_way.pop(trial_id, None)
        if name is not None:
            lost = {"status": "lost", "cause": self.causes.get(trial_id, "")}
            try:
                self.rows[name] = self.close(name, self.runs[name], lost if error else result or {})
            except (OSError, InputError) as broken:  # a full disk: Tune would go on without a word
                self.broken = broken
            else:
                self._settle()

    def hear_cause(self, trial_id: str, cause: str) -> None:
        """Why a trial is lost: its scheduler is told before its searcher is."""
        self.causes[trial_id] = cause

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        return

    def save(self, checkpoint_path: str) -> None:
        return  # the truth is the run store and the study's journal

    def restore(self, checkpoint_path: str) -> None:
        return

    def _take_all(self, proposer: Listed) -> None:
        """A known list of cells: baselines first, then seed by seed, so that a part already covers every cell."""
        cells = []
        while (asked := proposer.ask()) is not None:
            cells.append(asked[1])
        for spec in self.space.runs([*self.space.baseline_cells(cells), *cells]):
            self._add(spec)

    def _take_cell(self) -> bool:
        asked = self.proposer.ask()
        if asked is None:
            return False
        ticket, cell = asked
        for spec in self.space.runs(self.space.baseline_cells([cell])):
            self._add(spec)
        self.waiting.append((ticket, [self._add(spec) for spec in self.space.runs([cell])]))
        self._settle()
        return True

    def _add(self, spec: RunSpec) -> str:
        name = self.name_of(spec)
        if name not in self.runs:
            self.runs[name] = spec
            row = self.ended(name)
            if row is None:
                self.queue.append(name)
            else:
                self.rows[name] = row
        return name

    def _settle(self) -> None:
        """Tells the proposer of every cell whose runs have all ended."""
        still = []
        for ticket, names in self.waiting:
            if all(name in self.rows for name in names):
                outcome = mean_outcome([self.rows[name] for name in names], self.column)
                if outcome.state != "open":  # else the cell stays under way, and the same command goes on with it
                    self.proposer.tell(ticket, outcome)
            else:
                still.append((ticket, names))
        self.waiting = still
