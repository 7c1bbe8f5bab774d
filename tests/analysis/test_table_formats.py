"""One table, five ways to write it: each compiles, opens or reads back, whatever stands in a name."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from hand_made import baseline, run, runs_frame

from analysis import tables
from analysis.tables import Entry, Table
from analysis.tables.typeset import escaped

NASTY = r"a&b_50%$#{}~^\<x>|[y]*'`" + '"é中'
TABLE = Table(
    "mode kl",
    ("", "T=1", "n"),
    (
        (Entry("α=0.1"), Entry("83.00 ± 2.83 (-2.00)", "★"), Entry("2")),
        (Entry("a|b"), Entry("90.00", "↑→"), Entry("–")),
    ),
    pd.DataFrame({"alpha": [0.1, 0.2], "mean": [0.83, 0.9], "n": pd.array([2, None], dtype="Int64")}),
    ("One note.", "Another, 50 %."),
)


def nasty() -> list[Table]:
    """Every table of runs whose names hold all that LaTeX and HTML read otherwise."""
    rows = [make(0.8 + s / 100, 0.8, seed=s, student=NASTY) for make in (run, baseline) for s in (0, 1)]
    schedule = {"temperature": None, "temperature_schedule": "[[0, 8.0], [5, 1.0]]"}
    rows += [run(0.8 + s / 80, 0.7, seed=s, student=NASTY, **schedule) for s in (0, 1)]
    rows += [{**row, "student": "[plain]"} for row in rows]
    makers = (tables.alpha_temperature, tables.methods_by_network, tables.seeds, tables.differences_table)
    return [table for maker in makers for table in maker(runs_frame(rows))]


def test_markdown() -> None:
    assert tables.markdown(TABLE).splitlines() == [
        "### mode kl",
        "",
        "One note.",
        "Another, 50 %.",
        "",
        "|       | T=1                        |   n |",
        "|-------|----------------------------|----:|",
        "| α=0.1 | **★ 83.00 ± 2.83 (-2.00)** |   2 |",
        "| a\\|b  | ↑→ 90.00                   |   – |",
    ]


def test_notes_that_tables_share_stand_once() -> None:
    text = tables.markdown(TABLE, TABLE._replace(title="mode mse", notes=("One note.", "Its own.")))
    assert text.startswith("One note.\n\n### mode kl\n\nAnother, 50 %.\n")
    assert "### mode mse\n\nIts own.\n" in text
    assert text.count("One note.") == 1


def test_latex() -> None:
    text = tables.latex(TABLE)
    assert r"\caption{Mode kl. One note. Another, 50 \%.}" in text
    assert r"\begin{tabular}{llr}" in text
    assert r"$\alpha$=0.1 & \textbf{$\star$ 83.00 $\pm$ 2.83 ($-$2.00)} & 2 \\" in text
    assert r"a$|$b & $\uparrow$$\rightarrow$ 90.00 & -- \\" in text
    assert [line for line in text.splitlines() if line.endswith("rule")] == [r"\toprule", r"\midrule", r"\bottomrule"]


def test_a_hyphen_of_a_word_is_no_minus() -> None:
    assert escaped("-0.5 to -1.2, (-3), pre-2, 2-3, wrn-16-2") == "$-$0.5 to $-$1.2, ($-$3), pre-2, 2-3, wrn-16-2"


def test_what_latex_would_read_otherwise_is_escaped() -> None:
    assert escaped("50 % a_b #1 {x} \\y") == r"50 \% a\_b \#1 \{x\} \textbackslash{}y"
    assert escaped("中é\nline") == "U+4E2Dé line"


def test_every_latex_table_is_sound() -> None:
    for table in nasty():
        text = tables.latex(table)
        begun = re.findall(r"\\(begin|end)\{(\w+)\}", text)
        assert begun == [("begin", "table"), ("begin", "tabular"), ("end", "tabular"), ("end", "table")]
        spec = re.search(r"\\begin\{tabular\}\{([lr]+)\}", text)
        assert spec is not None
        lines = [line for line in text.splitlines() if line.endswith(r"\\")]
        assert len(lines) == len(table.rows) + 1
        assert {len(re.findall(r"(?<!\\)&", line)) for line in lines} == {len(spec[1]) - 1}
        for line in [line for line in text.splitlines() if not line.startswith("%")]:
            bare = re.sub(r"\\[\\{}%&$#_]", "", line)
            assert not re.search("[%#~^_]", bare), line
            assert bare.count("{") == bare.count("}"), line
            assert bare.count("$") % 2 == 0, line
            assert all(sign <= "~" or "À" <= sign <= "ÿ" for sign in line), line


def test_a_long_latex_table_breaks_across_pages() -> None:
    rows = tuple((Entry(str(i)), Entry("80.00"), Entry("1")) for i in range(41))
    text = tables.latex(TABLE._replace(rows=rows))
    assert r"\usepackage{booktabs,longtable}" in text
    assert text.count(r"\endhead") == text.count(r"\endfirsthead") == 1
    assert r"\begin{longtable}" not in tables.latex(TABLE._replace(rows=rows[:40]))


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="no LaTeX here")
def test_latex_compiles(tmp_path: Path) -> None:
    long = TABLE._replace(rows=tuple((Entry("[x"), Entry("*"), Entry("1")) for _ in range(60)))
    body = "\n".join(map(tables.latex, [TABLE, long, *nasty()]))
    head = r"\documentclass{article}\usepackage{booktabs,longtable}\begin{document}"
    (tmp_path / "all.tex").write_text(f"{head}\n{body}\n\\end{{document}}\n")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    made = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120)
    assert made.returncode == 0, made.stdout[-2000:]


def test_csv_holds_numbers_one_kind_of_table_below_the_other() -> None:
    found = tables.seeds(runs_frame([run(0.7 + s / 30, 0.7, seed=s, epochs=e) for s in (0, 1) for e in (5, 9)]))
    read = pd.read_csv(io.StringIO(tables.csv(*found)))
    assert list(read["table"]) == ["epochs 5"] * 2 + ["epochs 9"] * 2
    assert list(read["value"]) == [0.7, 0.7 + 1 / 30] * 2
    assert list(read["epochs"]) == [5, 5, 9, 9]
    assert "★" not in tables.csv(*found)


def test_parquet_is_the_csv_with_its_types() -> None:
    found = tables.methods_by_network(runs_frame([baseline(0.6, 0.6), run(0.7, 0.7)]))
    read = pd.read_parquet(io.BytesIO(tables.parquet(*found)))
    again = pd.read_csv(io.StringIO(tables.csv(*found)))
    assert list(read.columns) == list(again.columns)
    assert str(read["gain_n"].dtype) == "Int64"
    assert read["sd"].isna().all()
    assert list(read["mean"]) == list(again["mean"]) == [0.6, 0.7]
    assert list(read["best"]) == [False, True]


def test_the_styled_table_marks_the_best_and_escapes_names() -> None:
    table = TABLE._replace(title="<script>", columns=("", "<b>T</b>", "n"))
    page = tables.styled(table).to_html()
    assert "&lt;script&gt;" in page
    assert "&lt;b&gt;T&lt;/b&gt;" in page
    assert "<script>" not in page + tables.styled(nasty()[0]).to_html()
    assert "★ 83.00 ± 2.83 (-2.00)" in page
    bold = re.findall(r"#T_\w+_(row\d_col\d) \{\s*font-weight: bold", page)
    assert bold == ["row0_col1"]
    assert "One note.<br>Another, 50 %." in page


def test_a_styled_table_without_jinja_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(self: pd.DataFrame) -> None:
        raise AttributeError("The '.style' accessor requires jinja2")

    monkeypatch.setattr(pd.DataFrame, "style", property(missing))
    with pytest.raises(tables.notebook.InputError, match="needs jinja2: pip install jinja2"):
        tables.styled(TABLE)


def test_csv_names_the_whole_spec_whatever_varied() -> None:
    rows = [run(0.7, 0.7, lr=lr, epochs=epochs) for lr, epochs in ((0.1, 5), (0.2, 5), (0.3, 9))]
    for maker in (tables.seeds, tables.methods_by_network):
        read = pd.read_csv(io.StringIO(tables.csv(*maker(runs_frame(rows)))))
        assert sorted(read["lr"]) == [0.1, 0.2, 0.3]
