"""Names beside points, so placed that none covers another, or a point."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Bbox

from analysis.plots.look import SMALL

WAYS = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1), (1, 2), (-1, 2), (1, -2), (-1, -2))
FAR = (7, 14, 21, 28, 36, 48, 60, 75, 90, 110)  # points: the nearest at which there is room
POINT = 5.0  # pixels that a marker takes to each side
SIDES = {1: "left", 0: "center", -1: "right"}
HEIGHTS = {(True, False): "bottom", (False, False): "center", (False, True): "top"}  # above, below


class Name(NamedTuple):
    """A text and the point that it belongs to, in data."""

    text: str
    x: float
    y: float


def place_names(figure: Figure, ax: Axes, names: Sequence[Name], points: Iterable[tuple[float, float]] = ()) -> None:
    """Writes every name where there is room, the nearest place first; a thin line leads to it where it is not near.

    ``points``: other points that must stay visible. The figure's layout must be finished, its titles in place.
    """
    figure.draw_without_rendering()
    spots = [(name.x, name.y) for name in names]
    visible = [_around(*ax.transData.transform(spot)) for spot in [*spots, *points]]
    written: list[Bbox] = []
    for name in names:
        text = _placed(ax, name, visible, written)
        text.set_in_layout(False)
        written.append(_extent(text))


def _placed(ax: Axes, name: Name, visible: list[Bbox], written: list[Bbox]) -> Annotation:
    """The first place that covers nothing; where there is none, a line or a point rather than a name."""
    room = ax.get_window_extent()
    best: tuple[int, int, int, int] | None = None
    for far, across, up in _places():
        text = _written(ax, name, far, across, up)
        box = _extent(text)
        inside = room.x0 <= box.x0 and box.x1 <= room.x1 and room.y0 <= box.y0 and box.y1 <= room.y1
        over_names = sum(box.overlaps(other) for other in written)
        covered = sum(box.overlaps(other) for other in visible) + 50 * over_names + 500 * (not inside)
        if not covered:
            return text
        best = min(best or (covered, far, across, up), (covered, far, across, up))
        text.remove()
    assert best is not None
    return _written(ax, name, *best[1:])


def _places() -> Iterator[tuple[int, int, int]]:
    return ((far, across, up) for far in FAR for across, up in WAYS)


def _written(ax: Axes, name: Name, far: int, across: int, up: int) -> Annotation:
    line = {"arrowstyle": "-", "color": "0.5", "linewidth": 0.6, "shrinkA": 0, "shrinkB": 3}
    return ax.annotate(
        name.text, (name.x, name.y), (far * across, far * up), textcoords="offset points", fontsize=SMALL,
        ha=SIDES[across], va=HEIGHTS[up > 0, up < 0], arrowprops=line if far > FAR[0] else None, zorder=6,
    )  # fmt: skip


def _extent(text: Annotation) -> Bbox:
    """The room of the words alone; an annotation's own has the line in it, but puts the words in their place."""
    text.get_window_extent()
    return Text.get_window_extent(text)


def _around(x: float, y: float) -> Bbox:
    return Bbox.from_extents(x - POINT, y - POINT, x + POINT, y + POINT)
