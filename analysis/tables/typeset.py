"""A ``Table`` as LaTeX with booktabs, every sign of a name or number escaped."""

from __future__ import annotations

import re

from analysis.tables.formats import numeric
from analysis.tables.table import BEST, Entry, Table

A_PAGE = 40  # rows; more go into a longtable, which breaks across pages
# What TeX reads otherwise than it is meant. [ and * would be taken for an argument of the \\ that ends a line.
SIGNS = {
    "\\": r"\textbackslash{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    **{sign: f"${sign}$" for sign in "<>|"},
    **{sign: f"{{{sign}}}" for sign in "[]*\"'`"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "–": "--",
    "−": "$-$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "²": "$^2$",
    "α": r"$\alpha$",
    "σ": r"$\sigma$",
    "★": r"$\star$",
    "↑": r"$\uparrow$",
    "→": r"$\rightarrow$",
    "†": r"\dag{}",
}
MINUS = re.compile(r"(?<![\w.)-])-(?=\d)")  # of a number; in 'α-T' or '2-3' it is a hyphen


def latex(table: Table) -> str:
    """A ``table`` with caption and booktabs' rules; needs \\usepackage{booktabs}, and longtable past 40 rows.

    The notes are the caption. A table without rows is a comment that says why.
    """
    if not table.rows:
        return "".join(f"% {' '.join(note.split())}\n" for note in table.notes)
    right = numeric(table)
    spec = "".join("r" if i in right else "l" for i in range(len(table.columns)))
    head = [r"\toprule", " & ".join(map(escaped, table.columns)) + r" \\", r"\midrule"]
    body = [" & ".join(map(_entry, row)) + r" \\" for row in table.rows]
    lines = _long(table, spec, head, body) if len(body) > A_PAGE else _short(table, spec, head, body)
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """``text`` so that LaTeX sets it as it stands; a letter beyond its usual fonts as its number, 'U+4E2D'."""
    text = MINUS.sub("−", " ".join(text.split()))
    return "".join(SIGNS.get(sign) or (sign if _known(sign) else f"U+{ord(sign):04X}") for sign in text)


def _known(sign: str) -> bool:
    """ASCII, and the accented letters of Latin-1."""
    return " " <= sign <= "~" or ("À" <= sign <= "ÿ")


def _entry(entry: Entry) -> str:
    words = escaped(entry.words)
    return rf"\textbf{{{words}}}" if BEST in entry.marks else words


def _caption(table: Table) -> str:
    title = f"{table.title[:1].upper()}{table.title[1:]}." if table.title else ""
    return rf"\caption{{{escaped(' '.join(filter(None, [title, *table.notes])))}}}"


def _short(table: Table, spec: str, head: list[str], body: list[str]) -> list[str]:
    return [
        r"% \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        r"\setlength{\belowcaptionskip}{1ex}",
        _caption(table),
        rf"\begin{{tabular}}{{{spec}}}",
        *head,
        *body,
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]


def _long(table: Table, spec: str, head: list[str], body: list[str]) -> list[str]:
    return [
        r"% \usepackage{booktabs,longtable}",
        r"\setlength{\LTcapwidth}{\linewidth}",
        rf"\begin{{longtable}}{{{spec}}}",
        _caption(table) + r" \\",
        *head,
        r"\endfirsthead",
        *head,
        r"\endhead",
        r"\bottomrule",
        r"\endlastfoot",
        *body,
        r"\end{longtable}",
    ]
