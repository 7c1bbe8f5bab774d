"""Sections -> one HTML file that needs nothing else: template, style, script and plotly.js are all in it."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from analysis.page.parts import Chart, Grid, Plot, Section

HERE = Path(__file__).parent


class Chapter(NamedTuple):
    """A sweep on the page: anchor, name, paragraphs of its question, and its sections."""

    anchor: str
    name: str
    question: list[str]
    sections: list[Section]

    @property
    def plots(self) -> list[Plot]:
        """All of its plots, in order."""
        return [part for section in self.sections for part in section.parts if isinstance(part, Plot)]


def html(title: str, made: str, overview: Grid, chapters: list[Chapter], alone: bool) -> str:
    """The whole page; every text in it is escaped.

    ``made``: when, and by which version; ``alone``: the title is that of the only sweep.
    """
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals["figure"] = _figure
    environment.filters["kind"] = lambda part: type(part).__name__
    drawn = any(chapter.plots for chapter in chapters)
    return environment.get_template("page.html").render(
        title=title,
        made=made,
        overview=overview,
        chapters=chapters,
        alone=alone,
        number=count(1).__next__,
        style=Markup((HERE / "page.css").read_text()),
        script=Markup((HERE / "page.js").read_text()),
        plotly=Markup(get_plotlyjs()) if drawn else "",
    )


def _figure(chart: Chart) -> Markup:
    """The figure as JSON that a script element may hold: plotly writes every < as \\u003c."""
    found = chart.figure.to_json()
    assert found is not None
    return Markup(found)
