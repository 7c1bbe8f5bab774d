"""What a sweep asks: fixed fields, blocks of swept ones, seeds. Blocks become cells, cells runs. No Ray, no torch."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kd_trainable.spec import DEFAULTS, RunSpec, require_field
from kd_trainable.vocabulary import InputError

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
        """The spec of one run."""
        return RunSpec(**{**self.fixed, **cell, "seed": seed})

    def values(self, name: str) -> list[Any]:
        """All values that a field takes in this sweep, each once, in order."""
        fixed = self.fixed.get(name, DEFAULTS[name])
        lists = [block.get(name, [fixed]) for block in self.blocks]
        return list({json.dumps(value): value for values in lists for value in values}.values())

    def cells(self) -> list[Cell]:
        """All cells of the grid, each once: cells that differ only in what cannot matter are one."""
        if self.ranges:
            raise InputError("searcher: grid cannot walk a range LOW:HIGH; list the values, or use random or optuna")
        seen: dict[str, Cell] = {}
        for block in self.blocks:
            for cell in _product(block):
                seen.setdefault(identity(self.spec(cell, 0)), cell)
        return list(seen.values())

    def runs(self, cells: Iterable[Cell]) -> Iterator[RunSpec]:
        """The runs of these cells, seed by seed so that a part of the grid already covers every cell."""
        cells = list(cells)
        return (self.spec(cell, seed) for seed in self.seeds for cell in cells)

    def baseline_cells(self, cells: Iterable[Cell]) -> list[Cell]:
        """The undistilled counterparts of these cells, each once."""
        if not self.baselines:
            return []
        seen: dict[str, Cell] = {}
        for cell in cells:
            counterpart = {**cell, "method": "none"}
            seen.setdefault(identity(self.spec(counterpart, 0)), counterpart)
        return list(seen.values())


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
    if not isinstance(DEFAULTS[name], float):
        raise InputError(f"{name}: {values} is not allowed; a range needs a field that is a number")
    if not (math.isfinite(values.low) and math.isfinite(values.high) and values.low < values.high):
        raise InputError(f"{name}: {values} is not allowed; a range is LOW:HIGH with LOW < HIGH")
    if values.log and values.low <= 0:
        raise InputError(f"{name}: {values} is not allowed; a range in the logarithm needs LOW > 0")


def _product(block: Mapping[str, Sequence[Any]]) -> Iterator[Cell]:
    names = list(block)
    return (dict(zip(names, values, strict=True)) for values in itertools.product(*block.values()))
