"""What a sweep asks: fixed fields, blocks of swept ones, seeds. Blocks become cells, cells runs. No Ray, no torch."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kd_trainable.spec import DEFAULTS, RunSpec, irrelevant, require_field
from kd_trainable.taps import parse
from kd_trainable.terms import entry, is_hyperparameter, own_term, terms
from kd_trainable.values import typed
from kd_trainable.vocabulary import InputError, Pixels

NOT_SWEPT = {
    "seed": "seeds are replicates; give them as seeds",
    "epochs": "a table shows one budget",
    "dataset": "one data set a sweep",
    "teacher": "one teacher a sweep",
    "protocol": "a table shows one protocol",
}


class Between(NamedTuple):
    """A range that a searcher draws from: low to high, evenly or evenly in the logarithm."""

    low: float
    high: float
    log: bool = False

    def __str__(self) -> str:
        return f"{self.low:g}:{self.high:g}" + (":log" if self.log else "")


Values = Sequence[Any] | Between
Block = Mapping[str, Values]
Cell = Mapping[str, Any]


@dataclass(frozen=True)
class Space:
    """``fixed`` fields, and ``blocks`` whose products are the cells; every cell runs on every seed.

    ``baselines``: the undistilled counterpart of every cell, with the same seeds.
    """

    fixed: Mapping[str, Any] = field(default_factory=dict)
    blocks: Sequence[Block] = ({},)
    seeds: Sequence[int] = (0,)
    baselines: bool = True

    def __post_init__(self) -> None:
        for name in [*self.fixed, *(name for block in self.blocks for name in block)]:
            require_field(name)
        if "seed" in self.fixed:
            raise InputError(f"seed: {self.fixed['seed']} is not allowed; give seeds, a list: seeds are replicates")
        if not self.blocks:
            raise InputError("grid: empty; give at least one cell")
        distinct("seeds", self.seeds)
        for block in self.blocks:
            for name, values in block.items():
                _sweepable(name, values)
        self._check()

    def _check(self) -> None:
        """Every value in one spec, so that a bad one is refused before anything starts."""
        known = {term for method in self.values("method") for term in terms(str(method))}
        given = [name for where in (self.fixed, *self.blocks) for name in where if "." in name]
        mappings = [typed("hyperparameters", mapping) for mapping in self.values("hyperparameters")]
        for name in [*given, *(name for mapping in mappings for name in mapping)]:
            if is_hyperparameter(name) and (owner := name.partition(".")[0]) not in known:
                raise InputError(f"hyperparameters: {name!r} is not allowed; {owner} is no method of this sweep")
            if not is_hyperparameter(name) and not any(map(own_term, self.values("method"))):
                RunSpec(method=self.values("method")[0], hyperparameters={name: 0.0})  # which says what is allowed
        for text in (text for taps in self.values("taps") for text in _listed(taps)):
            if (owner := parse(text)[0]) and owner not in known:
                raise InputError(f"taps: {text!r} is not allowed; {owner} is no method of this sweep")
        for seed in self.seeds:
            self.spec({}, seed)
        for block in self.blocks:
            corners = {k: [v.low, v.high] if isinstance(v, Between) else v for k, v in block.items()}
            for cell in _product(corners):
                self.spec(cell, self.seeds[0])

    @property
    def ranges(self) -> bool:
        """Whether some field is drawn from a range."""
        return any(isinstance(values, Between) for block in self.blocks for values in block.values())

    def spec(self, cell: Cell, seed: int) -> RunSpec:
        """The spec of one run. ``METHOD.NAME`` is a hyperparameter, which a run of another method does without."""
        given = {**self.fixed, **cell, "seed": seed}
        method = str(given.get("method", DEFAULTS["method"]))
        dotted = {name: given.pop(name) for name in list(given) if "." in name}
        given["hyperparameters"] = {
            name: value
            for name, value in {**typed("hyperparameters", given.get("hyperparameters", {})), **dotted}.items()
            if (name.partition(".")[0] in terms(method) if is_hyperparameter(name) else own_term(method))
        }
        if "taps" in given:
            given["taps"] = [text for text in _listed(given["taps"]) if parse(text)[0] in ("", *terms(method))]
        if any("schedule" in block for block in self.blocks):
            _drop_of_other_schedules(given, cell)
        return RunSpec(**given)

    @property
    def base(self) -> RunSpec:
        """A spec of the sweep, for what all of them have in common (NOT_SWEPT)."""
        return self.spec({}, self.seeds[0])

    def kept_pixels(self) -> list[Pixels]:
        """What training images look like in the runs whose teacher's logits can be kept, each once.

        A range is not among them: who draws from it computes its teacher's logits for itself.
        """
        drawn = {k for block in self.blocks for k, v in block.items() if isinstance(v, Between)}
        if drawn & set(Pixels._fields):
            return []
        specs = self.samples(("method", "taps", *Pixels._fields))
        return list({spec.pixels: None for spec in specs if spec.taught and not spec.live})

    def values(self, name: str) -> list[Any]:
        """All values that a field takes in this sweep, each once, in order."""
        fixed = self.fixed.get(name, list(DEFAULTS[name]) if isinstance(DEFAULTS[name], tuple) else DEFAULTS[name])
        lists = [block.get(name, [fixed]) for block in self.blocks]
        return list({json.dumps(value): value for values in lists for value in values}.values())

    def cells(self) -> list[Cell]:
        """All cells of the grid, each once: cells that differ only in what cannot matter are one."""
        if self.ranges:
            raise InputError("searcher: grid cannot walk a range LOW:HIGH; list the values, or use random or optuna")
        return self.each_once(cell for block in self.blocks for cell in _product(block))

    def each_once(self, cells: Iterable[Cell]) -> list[Cell]:
        """The first of the cells that are one run, in order."""
        seen: dict[str, Cell] = {}
        for cell in cells:
            seen.setdefault(identity(self.spec(cell, 0)), cell)
        return list(seen.values())

    def idle(self) -> list[str]:
        """The fields that are given several values and that no run of the sweep reads."""
        swept = {k for block in self.blocks for k, v in block.items() if k in DEFAULTS and len(v) > 1}
        deciding = ("method", "mode", "optimizer", "schedule", "patience", "batch_size")
        return sorted(k for k in swept if all(k in irrelevant(s.flat()) for s in self.samples((k, *deciding))))

    def samples(self, names: Collection[str]) -> list[RunSpec]:
        """A spec for every combination of these fields' values, on the first seed; a range counts as its lowest."""
        found: dict[str, RunSpec] = {}
        for block in self.blocks:
            corners = {k: [v.low] if isinstance(v, Between) else v for k, v in block.items()}
            for cell in _product({k: v if k in names else v[:1] for k, v in corners.items()}):
                spec = self.spec(cell, self.seeds[0])
                found.setdefault(identity(spec), spec)
        return list(found.values())

    def runs(self, cells: Iterable[Cell]) -> Iterator[RunSpec]:
        """The runs of these cells, seed by seed so that a part of the grid already covers every cell."""
        cells = list(cells)
        return (self.spec(cell, seed) for seed in self.seeds for cell in cells)

    def baseline_cells(self, cells: Iterable[Cell]) -> list[Cell]:
        """The undistilled counterparts of these cells, each once."""
        if not self.baselines:
            return []
        return self.each_once({**cell, "method": "none"} for cell in cells)


def identity(spec: RunSpec) -> str:
    """Equal for specs that are one run, whatever data and teacher."""
    return json.dumps(spec.matters(), sort_keys=True)


def distinct(name: str, values: Sequence[Any]) -> None:
    """Raises InputError for an empty list or a repeated value."""
    if not len(values):
        raise InputError(f"{name}: empty; give at least one value")
    typed = [float(v) if isinstance(v, int | float) else str(v) for v in values]
    for value in typed:
        if typed.count(value) > 1:
            shown = f"{value:g}" if isinstance(value, float) else value
            raise InputError(f"{name}: {shown} is given more than once; give each value once")


def _sweepable(name: str, values: Values) -> None:
    if name in NOT_SWEPT:
        raise InputError(f"{name}: cannot be swept; {NOT_SWEPT[name]}")
    if not isinstance(values, Between):
        distinct(name, values)
        return
    method, _, own = name.partition(".")
    if own and own == entry(method).train_mode:
        raise InputError(f"{name}: {values} is not allowed; it is 0 or 1, which are listed")
    if not isinstance(DEFAULTS.get(name, 0.0), float):  # hyperparameters are numbers
        raise InputError(f"{name}: {values} is not allowed; a range needs a field that is a number")
    if not (math.isfinite(values.low) and math.isfinite(values.high) and values.low < values.high):
        raise InputError(f"{name}: {values} is not allowed; a range is LOW:HIGH with LOW < HIGH")
    if values.log and values.low <= 0:
        raise InputError(f"{name}: {values} is not allowed; a range in the logarithm needs LOW > 0")


def _drop_of_other_schedules(given: dict[str, Any], cell: Cell) -> None:
    """Leaves out what is fixed for one of the swept schedules and is impossible with this cell's."""
    schedule = given.get("schedule", DEFAULTS["schedule"])
    if schedule != "multistep" and "milestones" not in cell:
        given.pop("milestones", None)
    if schedule == "one_cycle" and "warmup_epochs" not in cell:
        given.pop("warmup_epochs", None)


def _listed(taps: Any) -> list[str]:
    return [taps] if isinstance(taps, str) else list(taps)


def _product(block: Mapping[str, Sequence[Any]]) -> Iterator[Cell]:
    names = list(block)
    return (dict(zip(names, values, strict=True)) for values in itertools.product(*block.values()))


def is_cell(space: Space, cell: Any) -> bool:
    """Whether ``cell`` is one of the space: a study's file may be a stranger's, and must not choose what is run."""
    return isinstance(cell, dict) and any(
        block.keys() == cell.keys() and all(_is_of(values, cell[name]) for name, values in block.items())
        for block in space.blocks
    )


def _is_of(values: Any, value: Any) -> bool:
    if isinstance(values, Between):
        return isinstance(value, float) and values.low <= value <= values.high
    return json.dumps(value) in map(json.dumps, values)  # a schedule of tuples comes back as one of lists
