"""The best student for a budget: chosen by validation, compared by test, with what is not known said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hand_made import baseline, run, runs_frame

from analysis.pareto import main, pareto
from analysis.stats.budget import Budget, judged

ROOT = Path(__file__).parent.parent.parent
SIZES = {"small": (1_000, 0.001), "middle": (10_000, 0.002), "large": (100_000, 0.004)}


def sized(student: str, test: float, validation: float = 0.8, made: Any = run, **fields: Any) -> list[dict[str, Any]]:
    """Two runs of a student of that size, whose accuracies lie 0.002 apart."""
    parameters, latency = SIZES[student]
    fields = {"parameters": parameters, "latency_seconds": latency, "device": "gpu", **fields}
    return [made(test + (-0.001, 0.001)[s], validation, student=student, seed=s, **fields) for s in (0, 1)]


def three(**fields: Any) -> list[dict[str, Any]]:
    return [row for s, test in (("small", 0.80), ("middle", 0.90), ("large", 0.95)) for row in sized(s, test, **fields)]


def write(folder: Path, rows: list[dict[str, Any]]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    runs_frame(rows).to_parquet(folder / "runs.parquet")
    return folder


def chosen(rows: list[dict[str, Any]], **limits: Any) -> list[str]:
    table = judged(runs_frame(rows), Budget(**limits))
    return table.loc[table["chosen"], "student"].tolist()


def answer(folder: Path, rows: list[dict[str, Any]], **limits: Any) -> str:
    return pareto(str(write(folder, rows)), Budget(**limits))


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, ["large"]),
        ({"max_parameters": 10_000}, ["middle"]),
        ({"max_parameters": 9_999}, ["small"]),
        ({"max_latency_ms": 2.0}, ["middle"]),
        ({"max_parameters": 100_000, "max_latency_ms": 1.5}, ["small"]),
        ({"min_accuracy": 85.0}, ["middle"]),
        ({"min_accuracy": 90.0}, ["middle"]),
        ({"min_accuracy": 85.0, "max_latency_ms": 1.0}, []),
        ({"max_parameters": 999}, []),
    ],
)
def test_the_budget_is_kept(limits: dict[str, float], expected: list[str]) -> None:
    assert chosen(three(), **limits) == expected


def test_what_is_unknown_fits_no_limit() -> None:
    assert chosen(three(latency_seconds=None), max_latency_ms=1e9) == []
    assert chosen(three(parameters=None), max_parameters=10**9) == []


def test_latencies_of_two_devices_are_two_fronts() -> None:
    rows = [*sized("small", 0.8, device="slow", latency_seconds=0.9), *sized("large", 0.9, device="fast")]
    table = judged(runs_frame(rows), Budget(max_latency_ms=1000.0))
    assert table["by_latency"].tolist() == [True, True]
    assert table["chosen"].tolist() == [True, True]


def test_data_sets_and_protocols_are_never_compared(tmp_path: Path) -> None:
    rows = [*three(), *sized("small", 0.99, dataset="digits"), *sized("small", 0.99, protocol="published")]
    text = answer(tmp_path, rows)
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## dataset cifar10, protocol holdout",
        "## dataset cifar10, protocol published",
        "## dataset digits, protocol holdout",
    ]
    assert text.count("- ★ **") == 3
    assert text.count("THE TEST SET chooses") == 1


def test_the_text_marks_the_choice_and_shows_what_it_costs(tmp_path: Path) -> None:
    text = answer(
        tmp_path, [*three(teacher_agreement=0.75), *sized("middle", 0.85, 0.7, baseline)], max_parameters=20_000
    )
    assert "Budget: at most 20,000 parameters." in text
    assert "- ★ **middle**: the most accurate that fits, 10,000 parameters: 90.00 ± 1.27 (n=2)." in text
    (line,) = (line for line in text.splitlines() if line.startswith("| ★"))
    assert [word.strip() for word in line.strip("| ").split(" | ")] == [
        "★", "middle", "kd kl T 4 α 0.5", "30", "90.00 ± 1.27", "85.00 ± 1.27", "2", "10,000", "2", "75.00", "80.00",
        "size, latency",
    ]  # fmt: skip
    assert "Latencies: on gpu." in text


def test_rivals_within_the_noise_are_said_to_be(tmp_path: Path) -> None:
    text = answer(tmp_path, [*sized("small", 0.80), *sized("middle", 0.81), *sized("large", 0.90)], max_parameters=2e4)
    # each half width is t(0.975, 1) = 12.706 times 0.001; both, added in squares, are 1.80 points
    assert "small (1,000 parameters), is 1.00 points less accurate: within the noise of both (± 1.80)" in text
    assert "large (100,000 parameters), which does not fit, is 9.00 points more accurate: more than the noise" in text


def test_one_seed_says_nothing_of_noise(tmp_path: Path) -> None:
    text = answer(tmp_path, [row for row in three() if row["seed"] == 0])
    assert "less accurate: with one seed nothing says whether that is more than noise." in text
    assert "94.90 (n=1)" in text
    assert "±" not in text.partition("Budget:")[2]


def test_nothing_fits(tmp_path: Path) -> None:
    text = answer(tmp_path, three(), max_parameters=999, max_latency_ms=0.5)
    assert "**Nothing fits the budget.** Of 3 students the most accurate reaches 95.00 % (large); " in text
    assert "the smallest has 1,000 parameters (small); the fastest takes 1 ms (small)." in text
    assert "| ★" not in text


def test_an_accuracy_that_is_reached_by_luck_perhaps(tmp_path: Path) -> None:
    text = answer(tmp_path, three(), min_accuracy=89.0)
    assert "★ **middle**: the smallest that is accurate enough, 10,000 parameters" in text
    assert "Its interval reaches below 89 %" in text


def test_what_was_done_and_left_out_is_said(tmp_path: Path) -> None:
    rows = [*three(), *sized("large", 0.7, epochs=60), run(student="broken", status="failed")]
    text = answer(tmp_path, rows)
    assert "The students were trained for different numbers of epochs (30, 60)" in text
    assert "On no front, since the mean of another that costs less is as high: large (100,000 parameters, 70.00" in text
    assert "Left out, since no cell has finished all of its runs with a score to choose by: broken on cifar10" in text


def test_files_of_a_results_folder_with_all_its_sweeps(tmp_path: Path) -> None:
    write(tmp_path / "sweeps" / "one", [{**row, "spec_id": f"a{i}"} for i, row in enumerate(sized("small", 0.8))])
    write(tmp_path / "sweeps" / "two", [{**row, "spec_id": f"b{i}"} for i, row in enumerate(sized("large", 0.9))])
    text = pareto(str(tmp_path))
    assert (tmp_path / "pareto.md").read_text() == text
    table = pd.read_csv(tmp_path / "pareto.csv")
    assert table["student"].tolist() == ["small", "large"]
    assert table["mean"].tolist() == pytest.approx([0.8, 0.9])
    assert table["chosen"].tolist() == [False, True]
    assert (tmp_path / "pareto.png").read_bytes().startswith(b"\x89PNG")


def test_no_picture_of_an_earlier_time_is_left(tmp_path: Path) -> None:
    (tmp_path / "pareto.png").write_bytes(b"of an earlier time")
    text = answer(tmp_path, [run(status="failed", student="small")])
    assert "No student has a cell whose runs have all finished" in text
    assert not (tmp_path / "pareto.png").exists()


def test_one_student_is_no_picture_and_what_is_against_it_is_said(tmp_path: Path) -> None:
    rows = [*sized("small", 0.8), *sized("small", 0.79, alpha=0.9), *sized("small", 0.81, 0.7, made=baseline)]
    text = answer(tmp_path, rows)
    assert "- Its cell is the first of 2 that tie by validation." in text
    assert "- Not distilled, the same student is no worse: 81.00 ± 1.27 (n=2)." in text
    assert not (tmp_path / "pareto.png").exists()


@pytest.mark.parametrize(
    "way", [[str(ROOT / "analysis" / "pareto.py")], pytest.param(["-m", "analysis.pareto"], marks=pytest.mark.slow)]
)
def test_as_a_script_and_as_a_module(tmp_path: Path, way: list[str]) -> None:
    folder = write(tmp_path, three())
    command = [sys.executable, *way, str(folder), "--max-parameters", "1e4"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    made = "".join(f"  {folder}/pareto.{kind}\n" for kind in ("md", "csv", "png"))
    assert done.stdout == f"{(folder / 'pareto.md').read_text()}\nwritten:\n{made}"
    assert "★ **middle**" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "the following arguments are required: RESULTS"),
        (["x", "--max-parameters", "many"], "--max-parameters: it must be a number above 0, not 'many'"),
        (["x", "--max-latency-ms", "nan"], "--max-latency-ms: it must be a number above 0, not 'nan'"),
        (["x", "--min-accuracy", "0.9"], "it must be a number of per cent above 1 and at most 100, not '0.9'"),
        (["x", "--max-size", "3"], "unrecognized arguments: --max-size"),
    ],
)
def test_a_wrong_flag_is_one_line(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("\n")) == ("", 1)
    assert captured.err.startswith("error: ")
    assert said in captured.err


def test_help_says_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    assert left.value.code == 0
    assert "--max-latency-ms MS" in capsys.readouterr().out
