"""The conductor: a cell on all its seeds, what is done left out, its proposer told the mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ray.tune.search import Searcher

from kd_trainable.spec import RunSpec
from kd_trainable.tuning.conductor import Conductor
from kd_trainable.tuning.plan import Names
from kd_trainable.tuning.searchers import Listed, Outcome, Proposer
from kd_trainable.tuning.space import Cell, Space

FIXED = {"dataset": "digits", "student": "digits_mlp"}
NAMES = Names("data", "teacher")


class Scripted:
    """Proposes the cells it is given, and remembers what it is told."""

    def __init__(self, cells: list[Cell], past: tuple[Cell, ...] = ()) -> None:
        self.cells, self.earlier, self.told = list(cells), list(past), {}  # type: ignore[var-annotated]

    def past(self) -> list[Cell]:
        return self.earlier

    def exhausted(self) -> bool:
        return not self.cells

    def ask(self) -> tuple[Any, Cell] | None:
        if not self.cells:
            return None
        cell = self.cells.pop(0)
        return cell["temperature"], cell

    def tell(self, ticket: Any, outcome: Outcome) -> None:
        assert ticket not in self.told
        self.told[ticket] = outcome


class Store:
    """Results by run, as a run store would hold them."""

    def __init__(self) -> None:
        self.results: dict[str, dict[str, Any]] = {}
        self.reports: list[Mapping[str, Any]] = []

    def ended(self, name: str) -> Mapping[str, Any] | None:
        return self.results.get(name)

    def close(self, name: str, spec: RunSpec, report: Mapping[str, Any]) -> Mapping[str, Any]:
        assert NAMES.name(spec) == name
        self.reports.append(report)
        return self.results.setdefault(name, result(0.0, "lost"))


def result(accuracy: float, status: str = "finished") -> dict[str, Any]:
    return {"status": status, "epochs_run": 1, "history": [{"validation_accuracy": accuracy}]}


def space(seeds: tuple[int, ...] = (0, 1), baselines: bool = False) -> Space:
    return Space(FIXED, [{"temperature": [1, 4, 8]}], seeds, baselines)


def conductor(asked: Space, proposer: Proposer, store: Store) -> Conductor:
    return Conductor(asked, proposer, NAMES.name, store.ended, store.close, "validation_accuracy")


def run_all(conducting: Conductor, store: Store, accuracy: Any = lambda config: 0.5) -> list[dict[str, Any]]:
    """Plays Tune, one run at a time; the configs that were handed out."""
    configs = []
    while isinstance(config := conducting.suggest(f"trial {len(configs)}"), dict):
        store.results[config["spec_id"]] = result(accuracy(config))
        conducting.on_trial_complete(f"trial {len(configs)}", {"status": "finished"})
        configs.append(config)
    assert config == Searcher.FINISHED
    return configs


class TestList:
    def test_baselines_first_then_seed_by_seed(self) -> None:
        asked, store = space(baselines=True), Store()
        configs = run_all(conductor(asked, Listed(asked.cells()), store), store)
        order = [(c["seed"], c["method"], c["temperature"]) for c in configs]
        cells = [("none", 4.0), ("kd", 1.0), ("kd", 4.0), ("kd", 8.0)]
        assert order == [(seed, *cell) for seed in (0, 1) for cell in cells]

    def test_a_config_is_the_whole_spec_and_its_name(self) -> None:
        asked, store = space(), Store()
        config = conductor(asked, Listed(asked.cells()), store).suggest("trial")
        spec = asked.spec({"temperature": 1}, 0)
        assert config == {**spec.flat(), "spec_id": NAMES.name(spec)}

    def test_what_is_done_is_left_out(self) -> None:
        asked, store = space(), Store()
        for seed in (0, 1):
            store.results[NAMES.name(asked.spec({"temperature": 4}, seed))] = result(0.5)
        conducting = conductor(asked, Listed(asked.cells()), store)
        assert not conducting.settled()
        assert {c["temperature"] for c in run_all(conducting, store)} == {1, 8}
        assert len(conducting.runs) == len(conducting.rows) == 6
        assert conducting.settled()

    def test_all_done_is_settled_at_once(self) -> None:
        asked, store = space(), Store()
        run_all(conductor(asked, Listed(asked.cells()), store), store)
        again = conductor(asked, Listed(asked.cells()), store)
        assert again.settled()
        assert again.suggest("trial") == Searcher.FINISHED


class TestSearcher:
    def test_its_proposer_is_told_the_mean_over_seeds(self) -> None:
        proposer, store = Scripted([{"temperature": 1}, {"temperature": 4}]), Store()
        run_all(conductor(space(), proposer, store), store, lambda c: c["temperature"] / 8 + c["seed"] / 4)
        assert proposer.told == {1: Outcome("complete", 0.25), 4: Outcome("complete", 0.625)}

    def test_nothing_is_told_before_all_seeds_have_ended(self) -> None:
        proposer, store = Scripted([{"temperature": 1}]), Store()
        conducting = conductor(space(), proposer, store)
        configs = [conducting.suggest("one"), conducting.suggest("two")]
        for trial, config in zip(("two", "one"), reversed(configs), strict=True):
            assert proposer.told == {}
            assert not conducting.settled()
            store.results[config["spec_id"]] = result(0.5)
            conducting.on_trial_complete(trial, {"status": "finished"})
        assert proposer.told == {1: Outcome("complete", 0.5)}
        assert conducting.settled()

    def test_each_cell_brings_its_baseline(self) -> None:
        proposer, store = Scripted([{"temperature": 1}, {"temperature": 4}]), Store()
        configs = run_all(conductor(space(baselines=True), proposer, store), store)
        assert [c["method"] for c in configs] == ["none", "none", "kd", "kd", "kd", "kd"]

    def test_a_cell_whose_runs_another_sweep_has_done_is_told_at_once(self) -> None:
        asked, store = space(), Store()
        for seed in (0, 1):
            store.results[NAMES.name(asked.spec({"temperature": 1}, seed))] = result(0.75)
        proposer = Scripted([{"temperature": 1}])
        assert conductor(asked, proposer, store).suggest("trial") == Searcher.FINISHED
        assert proposer.told == {1: Outcome("complete", 0.75)}

    def test_cells_of_earlier_commands_are_runs_of_this_one(self) -> None:
        asked, store = space(baselines=True), Store()
        conducting = conductor(asked, Scripted([{"temperature": 1}], past=({"temperature": 8},)), store)
        run_all(conducting, store)
        assert [spec.temperature for spec in conducting.runs.values() if spec.distilled] == [8, 8, 1, 1]
        assert sum(not spec.distilled for spec in conducting.runs.values()) == 2

    def test_a_run_that_was_lost(self) -> None:
        proposer, store = Scripted([{"temperature": 1}]), Store()
        conducting = conductor(space(seeds=(0,)), proposer, store)
        conducting.suggest("trial")
        conducting.hear_cause("trial", "its machine burnt down")
        conducting.on_trial_complete("trial", error=True)
        assert store.reports == [{"status": "lost", "cause": "its machine burnt down"}]
        assert proposer.told == {}  # the same command goes on with it
        assert conducting.settled()

    def test_a_trial_of_somebody_else_is_none_of_its_business(self) -> None:
        store = Store()
        conductor(space(), Scripted([]), store).on_trial_complete("unknown", {"status": "finished"})
        assert store.reports == []
