"""The arithmetic behind ``differences``: an additive model y = cell + seed, and simultaneous intervals of contrasts.

Arrays in, arrays out. Sources: randomised block design, e.g. Hsu, Multiple Comparisons (1996), chapters 3 and 7;
Dunnett 1955 for many against one; deletion of a group of rows, Cook & Weisberg 1982, section 3.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
DRAWS = 2**15  # of a scrambled Sobol sequence: the quantile's level is within about 0.1 % of what is asked
MANY = 2**22  # numbers drawn at a time, so that a thousand contrasts fit into memory
EXACT = 1e-8
SIMULATED, FLOOR = 4000, 1e-3  # of the test for one variance


class Fit(NamedTuple):
    """Least squares of one block. ``estimates`` and ``unscaled`` [C], [C, C]: by cell, up to a common constant."""

    estimates: Floats
    unscaled: Floats
    reached: NDArray[np.bool_]  # [C, C]: whether seeds connect two cells, so that their difference can be known
    squares: float
    freedom: int
    own_squares: Floats  # [C]: what the sum of squares would lose without the cell
    own_freedom: Ints


def fit(cell: Ints, seed: Ints, value: Floats) -> Fit:
    """y = cell + seed by least squares; cells and seeds [N] are numbered from 0 and each occurs."""
    cells, seeds = int(cell.max()) + 1, int(seed.max()) + 1
    design = np.zeros((len(value), cells + seeds))
    design[np.arange(len(value)), cell] = 1.0
    design[np.arange(len(value)), cells + seed] = 1.0
    # the columns add up to the same twice, so the normal equations have a null space: harmless for differences
    inverse = np.asarray(np.linalg.pinv(design.T @ design, rcond=EXACT, hermitian=True), np.float64)
    estimates = inverse @ (design.T @ value)
    residual = value - design @ estimates
    squares = float(residual @ residual)
    if squares <= (EXACT * np.abs(value).max()) ** 2 * len(value):  # nothing but rounding
        squares, residual = 0.0, np.zeros_like(residual)
    own = [_own(c, cells + seed[cell == c], inverse, residual[cell == c]) for c in range(cells)]
    linked = _linked(cell, seed, cells, seeds)
    freedom = len(value) - cells - seeds + len({tuple(row) for row in linked})
    return Fit(
        estimates[:cells],
        inverse[:cells, :cells],
        linked,
        squares,
        freedom,
        np.array([squares for squares, _ in own]),
        np.array([freedom for _, freedom in own], dtype=np.int64),
    )


def _own(cell: int, seeds: Ints, inverse: Floats, residual: Floats) -> tuple[float, int]:
    """By how much the sum of squares and its freedom fall when the rows of a cell are left out.

    A row of the design has two ones, its cell's and its seed's, so its products are sums of entries.
    """
    leverage = inverse[cell, cell] + inverse[cell, seeds][None, :] + inverse[seeds, cell][:, None]
    left = np.eye(len(seeds)) - leverage - inverse[np.ix_(seeds, seeds)]
    values, vectors = np.linalg.eigh(left)
    kept = values > EXACT**0.5
    along = vectors[:, kept].T @ residual
    return float((along**2 / values[kept]).sum()), int(kept.sum())


def _linked(cell: Ints, seed: Ints, cells: int, seeds: int) -> NDArray[np.bool_]:
    """Which cells are joined by a chain of shared seeds."""
    met = np.zeros((cells, seeds), dtype=bool)
    met[cell, seed] = True
    joined = met.astype(np.float64) @ met.T > 0
    while True:
        wider = joined.astype(np.float64) @ joined > 0
        if (wider == joined).all():
            return joined
        joined = wider


def most_apart(
    own_squares: Floats, own_freedom: Ints, squares: float, freedom: int, level: float
) -> tuple[int, bool] | None:
    """The cell whose spread differs most from that of all others, and whether that is no accident at ``level``.

    An F test of each cell's own squares against the rest's, by Šidák over the cells; None where none can be tested.
    """
    rest, rest_freedom = squares - own_squares, freedom - own_freedom
    tested = (own_freedom > 0) & (rest_freedom > 0) & (rest > EXACT * squares)  # else the others have no spread at all
    if not tested.any():
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = (own_squares / own_freedom) / (rest / rest_freedom)
    chance = np.where(tested, stats.f.sf(ratio, own_freedom, rest_freedom), 1.0)
    first = int(np.argmin(chance))
    return first, bool(chance[first] < 1 - (1 - level) ** (1 / int(tested.sum())))


def uneven(own_squares: Floats, own_freedom: Ints, level: float, least: float = 0.0) -> bool:
    """Whether the cells' spreads differ among one another by more than luck, so that no one of them is usual.

    Bartlett's (1937) statistic, against its distribution for one common variance by simulation, since its usual
    approximation is poor for two or three seeds. A variance counts for at least ``least``, and ``FLOOR`` of the
    common one: equal accuracies of a small test set are no proof of a small spread.
    """
    tested = own_freedom > 0
    freedom, squares = own_freedom[tested].astype(np.float64), own_squares[tested]
    if len(freedom) < 3 or not squares.sum() > 0:
        return False
    floor = max(FLOOR, least * freedom.sum() / squares.sum())
    seen = _bartlett(squares[None, :], freedom, floor)[0]
    return bool((_bartlett_by_luck(freedom.tobytes(), floor) >= seen).mean() < level)


@lru_cache(maxsize=16)
def _bartlett_by_luck(freedom: bytes, floor: float) -> Floats:
    freely = np.frombuffer(freedom)
    drawn = np.random.default_rng(0).chisquare(freely, (SIMULATED, len(freely)))
    return _bartlett(drawn, freely, floor)


def _bartlett(squares: Floats, freedom: Floats, floor: float) -> Floats:
    """[D, C] -> [D]."""
    common = squares.sum(axis=1, keepdims=True) / freedom.sum()
    ratio = np.maximum(squares / freedom / common, floor)
    return np.asarray(-(freedom * np.log(ratio)).sum(axis=1))


def resolution(values: Floats) -> float:
    """The smallest step between values: of accuracies of N images at least 1 / N."""
    steps = np.diff(np.unique(np.round(values, 9)))
    return float(steps.min()) if len(steps) else 0.0


def critical(correlation: Floats, freedom: int, level: float) -> float:
    """c such that all |t_i| <= c with probability ``level``: multivariate t of this correlation [M, M] and freedom."""
    if len(correlation) == 1:
        return float(stats.t.isf((1 - level) / 2, freedom))
    return float(np.quantile(_largest(correlation, freedom), level))


def chance_of(correlation: Floats, freedom: int, seen: Floats) -> Floats:
    """For each |t| of ``seen`` the probability that the largest |t_i| reaches it by luck."""
    if len(correlation) == 1:
        return np.asarray(2 * stats.t.sf(np.abs(seen), freedom))
    largest = _largest(correlation, freedom)
    return 1.0 - np.searchsorted(largest, np.abs(seen), side="left") / len(largest)


def _largest(correlation: Floats, freedom: int) -> Floats:
    rounded = np.round(correlation, 9)
    return _drawn(rounded.tobytes(), len(rounded), freedom)


@lru_cache(maxsize=16)
def _drawn(correlation: bytes, size: int, freedom: int) -> Floats:
    """Sorted draws of max |t_i|: quasi-random, of a fixed seed, so that a table made twice is the same."""
    matrix = np.frombuffer(correlation).reshape(size, size)
    values, vectors = np.linalg.eigh(matrix)
    root = vectors * np.sqrt(np.clip(values, 0.0, None))
    sobol = stats.qmc.Sobol(size + 1, seed=0)
    found = []
    step = min(DRAWS, 2 ** int(np.log2(MANY / (size + 1))))
    for _ in range(DRAWS // step):
        uniform = np.clip(sobol.random(step), 1e-12, 1 - 1e-12)
        spread = np.sqrt(stats.chi2.ppf(uniform[:, -1], freedom) / freedom)
        found.append(np.abs(stats.norm.ppf(uniform[:, :-1]) @ root.T).max(axis=1) / spread)
    return np.sort(np.concatenate(found))
