"""What a student costs, which of its cells stands for it, and which students nothing cheaper equals."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hand_made import baseline, run, runs_frame

from analysis.stats.front import contenders, on_front, students


def small(test: float, validation: float = 0.8, made: Any = run, **fields: Any) -> list[dict[str, Any]]:
    """Two runs of a student."""
    return [made(test, validation, student="small", seed=seed, **fields) for seed in (0, 1)]


def contender(rows: list[dict[str, Any]]) -> Any:
    (found,) = contenders(students(runs_frame(rows))).itertuples()
    return found


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([(1, 0.5), (2, 0.6), (3, 0.7)], [True, True, True]),
        ([(1, 0.5), (2, 0.4), (3, 0.7)], [True, False, True]),
        ([(1, 0.5), (2, 0.5)], [True, False]),  # as accurate for less
        ([(1, 0.5), (1, 0.6), (1, 0.6)], [False, True, True]),  # equals do not beat one another
        ([(None, 0.9), (2, None), (3, 0.7)], [False, False, True]),
        ([], []),
    ],
)
def test_the_front_is_what_nothing_beats(points: list[tuple[Any, Any]], expected: list[bool]) -> None:
    table = pd.DataFrame(points, columns=["parameters", "mean"]).astype({"parameters": "Int64", "mean": "Float64"})
    assert on_front(table, "parameters").tolist() == expected


def test_a_cell_costs_the_median_of_its_finished_runs_on_one_device() -> None:
    latencies = [("b", 0.9), ("a", 0.2), ("a", 0.3), ("a", 0.7), ("a", None)]
    rows = [run(0.8, seed=s, device=d, latency_seconds=t, parameters=9) for s, (d, t) in enumerate(latencies)]
    rows.append(run(seed=9, status="failed", device="b", latency_seconds=5.0))
    found = students(runs_frame(rows)).iloc[0]
    assert (found["device"], found["latency_seconds"], found["parameters"]) == ("a", 0.3, 9)


def test_a_latency_of_a_cpu_is_of_so_many_threads() -> None:
    rows = [run(0.8, alpha=a, device="cpu (x)", threads=n, latency_seconds=0.1) for a, n in ((0.1, 1), (0.9, 4))]
    assert students(runs_frame(rows))["device"].tolist() == ["cpu (x), 1 thread", "cpu (x), 4 threads"]


def test_validation_chooses_a_students_cell_and_not_test() -> None:
    rows = [*small(0.90, 0.80, alpha=0.1), *small(0.85, 0.88, alpha=0.9)]
    found = contender(rows)
    assert (found.alpha, found.mean) == (0.9, pytest.approx(0.85))


def test_controls_and_unfinished_cells_do_not_compete() -> None:
    rows = [
        *small(0.8, 0.80),
        *small(0.9, 0.99, control="shuffled-teacher"),
        *small(0.9, 0.99, alpha=0.1)[:1],
        run(student="small", alpha=0.1, seed=1, status="failed"),
    ]
    assert contender(rows).mean == pytest.approx(0.8)


def test_the_undistilled_student_competes_by_validation_and_stands_beside_it() -> None:
    distilled = contender([*small(0.80, 0.85), *small(0.90, 0.80, baseline)])
    assert (distilled.is_baseline, distilled.without_teacher) == (False, pytest.approx(0.90))
    alone = contender([*small(0.80, 0.85), *small(0.70, 0.86, baseline)])
    assert (alone.is_baseline, alone.mean) == (True, pytest.approx(0.70))
    assert pd.isna(contender(small(0.80)).without_teacher)


def test_a_student_is_shown_at_its_longest_training() -> None:
    rows = [*small(0.9, 0.9, epochs=5), *small(0.8, 0.8, epochs=60)]
    more = small(0.95, 0.95, baseline, epochs=90)  # of which no distilled one is known
    assert (contender(rows).epochs, contender([*rows, *more]).epochs) == (60, 60)
