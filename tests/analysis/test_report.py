"""The report as a file: what is in it, that it needs nothing else, and what becomes of bad input."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import whole_sweep
from hand_made import baseline, run, runs_frame

from analysis.report import main, report

SECTIONS = (
    "The answer", "Results", "Plots", "Statistics in words", "What was fixed and what was swept", "The teacher's card",
    "Failures", "Negative controls", "Cost", "Command and versions",
)  # fmt: skip
PLOTS = (
    "Alpha and temperature", "Temperature curves", "Learning curves", "Gains over the baseline", "Parallel coordinates",
    "Accuracy against cost", "Agreement with the teacher", "Which fields mattered", "What the spread comes from",
    "Seeds",
)  # fmt: skip


class Page(HTMLParser):
    """Elements, headings and visible text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, Any]]] = []
        self.headings: list[tuple[int, str]] = []
        self.words: list[str] = []
        self.inside = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, dict(attrs)))
        self.inside = tag
        if re.fullmatch("h[1-6]", tag):
            self.headings.append((int(tag[1]), ""))

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if re.fullmatch("h[1-6]", self.inside):
            self.headings[-1] = (self.headings[-1][0], self.headings[-1][1] + data)
        if self.inside not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self) -> str:
        """All that a reader can read."""
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = whole_sweep.write(tmp_path_factory.mktemp("whole") / "sweeps" / "whole")
    assert report(str(folder)) == f"{folder}/report.html\n"
    return (folder / "report.html").read_text()


def written(folder: Path, rows: list[dict[str, Any]]) -> Page:
    """The report of a sweep of hand-made runs."""
    folder.mkdir(parents=True, exist_ok=True)
    runs_frame(rows).to_parquet(folder / "runs.parquet")
    report(str(folder))
    return Page((folder / "report.html").read_text())


def test_sections_and_plots_stand_in_order(whole: str) -> None:
    titles = [title for _, title in Page(whole).headings]
    assert [title for title in titles if title in SECTIONS] == list(SECTIONS)
    assert [title for title in titles if title in PLOTS] == list(PLOTS)


def test_headings_go_down_one_level_at_a_time(whole: str) -> None:
    levels = [level for level, _ in Page(whole).headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))


def test_the_file_needs_nothing_else(whole: str) -> None:
    for tag, attributes in Page(whole).elements:
        address = attributes.get("src") or attributes.get("href")
        assert address is None or address.startswith(("#", "data:")), (tag, address)
        assert tag not in ("iframe", "object", "embed", "base"), tag
    assert whole.count("plotly.js v") == 1
    style = re.findall("<style>(.*?)</style>", whole, re.DOTALL)[0]
    assert "url(" not in style
    assert "@import" not in style


def test_links_lead_somewhere_and_ids_are_unique(whole: str) -> None:
    elements = Page(whole).elements
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = [attributes["href"][1:] for tag, attributes in elements if tag == "a"]
    assert targets
    assert set(targets) <= set(ids)
    figures = {attributes["data-figure"] for _, attributes in elements if "data-figure" in attributes}
    assert len(figures) > 10
    assert figures <= set(ids)


def test_what_runs_and_sweep_json_say_is_text_and_no_markup(whole: str) -> None:
    page = Page(whole)
    assert not [attributes for tag, attributes in page.elements if tag == "img" or "onerror" in attributes]
    assert page.text.count("<script>window.harmed = true</script>") >= 4  # question, command, error, the run's error
    for figure in re.findall('<script type="application/json".*?>(.*?)</script>', whole, re.DOTALL):
        assert "<" not in figure


def test_tables_have_captions_and_scopes_and_plots_an_alternative(whole: str) -> None:
    elements = Page(whole).elements
    assert sum(tag == "table" for tag, _ in elements) == sum(tag == "caption" for tag, _ in elements) > 10
    assert all(attributes.get("scope") in ("col", "row") for tag, attributes in elements if tag == "th")
    plots = [attributes for _, attributes in elements if attributes.get("class") == "plot"]
    assert all(attributes["role"] == "img" and attributes["aria-label"] for attributes in plots)
    assert ("html", {"lang": "en"}) in elements


def test_failures_controls_cost_and_origin_are_told(whole: str) -> None:
    text = Page(whole).text
    assert "3 runs of 87 gave no result" in text
    assert "Of 87 runs, 1 still running" in text
    assert "loss is not a number" in text
    assert "control: shuffled-teacher" in text
    assert "1 attempt beyond the first" in text
    assert "GPU time" in text
    assert "2025-11-20 10:00:00 UTC" in text
    assert "93.12 %" in text  # the teacher's


def test_what_a_figure_leaves_out_is_said(whole: str) -> None:
    text = Page(whole).text
    assert "Named: the baseline, the best, 3 more by what selects and the worst; the other cells are grey." in text
    assert "Controls are left out." in text


def test_no_missing_value_shows_through(whole: str) -> None:
    assert not re.search(r"\bnan\b|<NA>|\bNone\b|Pandas\(|\binf\b", Page(whole).text, re.IGNORECASE.ASCII)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "No run has finished"),
        ([run(None, None, status="failed", error="out of <b>memory</b>")], "out of <b>memory</b>"),
        ([run(0.8, 0.8)], "no undistilled baseline was run"),
        ([run(float("nan"), 0.8)], "its test accuracy is missing or no number"),
        ([baseline(0.8, 0.8), run(0.81, 0.8), run(0.82, 0.8, alpha=0.9)], "cannot be told from luck"),
        ([run(None, None, status="running"), run(None, None, status="unfinished")], "1 still running and 1 begun"),
        ([run(0.8, 0.8, control="shuffled-teacher")], "Negative controls The teacher's answers were shuffled"),
        ([run(0.8, None, protocol="published"), baseline(0.8, protocol="published")], "chosen on the test set itself"),
    ],
)
def test_what_cannot_be_known_is_said(tmp_path: Path, rows: list[dict[str, Any]], said: str) -> None:
    page = written(tmp_path / "sweep", rows)
    assert said in page.text
    assert not re.search(r"\bnan\b|<NA>|\bNone\b(?! of)|Traceback", page.text)
    assert sorted(path.name for path in (tmp_path / "sweep").iterdir()) == ["report.html", "runs.parquet"]


def test_an_old_sweep_says_what_it_did_not_record(tmp_path: Path) -> None:
    folder = whole_sweep.write(tmp_path / "old", None, latency_seconds=None, teacher_agreement=None, gpus=None)
    (folder / "epochs.parquet").unlink()
    report(str(folder))
    text = Page((folder / "report.html").read_text()).text
    assert "Not recorded: latency of one image (ms)." in text
    assert "agreement with the teacher (not recorded)" in text
    assert "learning curves (no epochs of a finished run)" in text
    assert "did not record the share of a GPU held" in text
    assert "has no sweep.json" in text


def test_a_results_folder_has_a_part_for_each_sweep_and_names_what_cannot_be_read(tmp_path: Path) -> None:
    for name in ("one", "two"):
        written(tmp_path / "sweeps" / name, [baseline(0.8, 0.8), run(0.81, 0.8)])
    (tmp_path / "sweeps" / "two" / "sweep.json").write_text("{half")
    broken = tmp_path / "sweeps" / "three"
    broken.mkdir()
    (broken / "runs.parquet").write_bytes(b"PAR1 half written")
    assert main([str(tmp_path)]) == 0
    page = Page((tmp_path / "report.html").read_text())
    assert [title for level, title in page.headings if level == 2] == ["one", "three", "two"]
    assert "three/runs.parquet: cannot be read" in page.text
    assert "two/sweep.json: cannot be read" in page.text
    assert page.text.count("The teacher's card") == 4  # a link and a heading in each whole one


@pytest.mark.parametrize("content", [None, b"", b"PAR1 half written"])
def test_where_nothing_can_be_read_there_is_one_line_and_no_file(
    tmp_path: Path, content: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (tmp_path / "runs.parquet").write_bytes(content)
    assert main([str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.fullmatch(r"error: .*\n", captured.err)
    assert not (tmp_path / "report.html").exists()


def test_a_table_of_another_version_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs_frame([run(0.8, 0.8)]).drop(columns=["temperature"]).to_parquet(tmp_path / "runs.parquet")
    assert main([str(tmp_path)]) == 2
    assert "missing columns: temperature" in capsys.readouterr().err


def test_the_script_runs_from_its_path_without_ray_or_torch(tmp_path: Path) -> None:
    runs_frame([run(0.8, 0.8)]).to_parquet(tmp_path / "runs.parquet")
    code = (
        "import runpy, sys; sys.argv = ['analysis/report.py', sys.argv[1]]\n"
        "try: runpy.run_path('analysis/report.py', run_name='__main__')\n"
        "except SystemExit as end: print(end.code, sorted({'ray', 'torch', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout == f"{tmp_path}/report.html\n0 []\n"
