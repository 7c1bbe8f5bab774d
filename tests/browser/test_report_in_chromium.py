"""The report as a person meets it: opened from disk in headless Chromium, without a network, on a desk and on a phone.

Debian's chromium, driven by playwright, which brings no browser of its own here.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import whole_sweep
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from analysis.report import report

pytestmark = pytest.mark.browser
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 375, "height": 812}
OWN = ("file:", "data:", "blob:")
PLOTS = "document.querySelectorAll('.plot')"


class Visit(NamedTuple):
    """An open page, and what went wrong or was asked of the network so far."""

    page: Page
    errors: list[str]
    requests: list[str]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium")
    assert path, "no chromium: apt-get install chromium"
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with one sweep of everything, and a second one that nearly nothing is known of."""
    folder = tmp_path_factory.mktemp("results")
    whole_sweep.write(folder / "sweeps" / "whole")
    whole_sweep.write(
        folder / "sweeps" / "younger", None, status="failed", test_accuracy_last=None, error="out of memory"
    )
    report(str(folder))
    return folder / "report.html"


@pytest.fixture(params=[DESK, PHONE], ids=["desk", "phone"])
def size(request: pytest.FixtureRequest) -> dict[str, int]:
    found: dict[str, int] = request.param
    return found


@pytest.fixture
def visit(chromium: Browser, html: Path, size: dict[str, int]) -> Iterator[Visit]:
    """The page, opened offline; whatever goes wrong while a test looks at it fails the test."""
    context = chromium.new_context(viewport=size, has_touch=size == PHONE)
    context.set_offline(True)
    found = Visit(context.new_page(), [], [])
    context.route("**/*", lambda route: route.continue_() if route.request.url.startswith(OWN) else route.abort())
    found.page.on("console", lambda message: found.errors.append(message.text) if message.type == "error" else None)
    found.page.on("pageerror", lambda error: found.errors.append(str(error)))
    found.page.on("request", lambda request: found.requests.append(request.url))
    found.page.goto(html.as_uri())
    yield found
    assert found.errors == []
    assert [url for url in found.requests if not url.startswith(OWN)] == []
    assert found.requests[0] == html.as_uri()
    context.close()


def drawn(page: Page) -> list[bool]:
    """Which plots have something drawn in them."""
    found: list[bool] = page.evaluate(f"[...{PLOTS}].map((plot) => !!plot.querySelector('.main-svg .trace, .hm'))")
    return found


def scroll_through(page: Page) -> None:
    """As a reader does, down to the end."""
    for place in page.query_selector_all(".plot"):
        place.scroll_into_view_if_needed()
        page.wait_for_function("(plot) => plot.dataset.drawn", arg=place)


def hover(page: Page, title: str) -> str:
    """What appears beside the pointer over one of the figure's marks."""
    plot = page.locator(f"figure:has(.figure:text-is('{title}')) .plot").last
    plot.scroll_into_view_if_needed()
    mark = plot.locator(".points path.point").last
    mark.scroll_into_view_if_needed()
    mark.hover(force=True)
    text: str = plot.locator(".hovertext").first.text_content() or ""
    return text


def shows_something(picture: bytes) -> bool:
    """Whether a screenshot is more than one colour."""
    colours: Any = Image.open(BytesIO(picture)).convert("RGB").resize((64, 64)).getcolors(64 * 64)
    return len(colours) > 20


def test_every_plot_is_drawn_when_it_comes_into_view_and_nothing_overflows(visit: Visit, size: dict[str, int]) -> None:
    page = visit.page
    assert len(drawn(page)) > 15
    assert not all(drawn(page)), "all plots were drawn at once, before anybody looked"
    scroll_through(page)
    assert all(drawn(page))
    assert page.evaluate("document.documentElement.scrollWidth") == size["width"]
    wide = page.evaluate(
        f"[...{PLOTS}].filter((plot) => plot.querySelector('.main-svg').clientWidth > innerWidth).length"
    )
    assert wide == 0


def test_pictures_of_it_are_not_blank(visit: Visit, size: dict[str, int], tmp_path: Path) -> None:
    scroll_through(visit.page)
    for place in ("#sweep-whole-answer", "#sweep-whole-plots", "#sweep-whole-statistics"):
        visit.page.locator(place).scroll_into_view_if_needed()
        visit.page.evaluate(f"document.querySelector('{place}').scrollIntoView()")
        picture = visit.page.screenshot(path=tmp_path / f"{size['width']}{place}.png")
        assert Image.open(BytesIO(picture)).size == (size["width"], size["height"])
        assert shows_something(picture), place


def test_the_pointer_shows_the_run_or_the_cell(visit: Visit) -> None:
    seed = hover(visit.page, "Seeds")
    for words in ("run 0000", "α 0", "T ", "mode ", "seed ", "test accuracy 8", "gain "):
        assert words in seed
    cell = hover(visit.page, "Gains over the baseline")
    for words in ("control", "gain -", "95 % for all cells at once [", "seed 0: 8", "n=3"):
        assert words in cell


def test_no_text_of_a_run_is_taken_for_markup(visit: Visit) -> None:
    scroll_through(visit.page)
    hover(visit.page, "Seeds")
    assert visit.page.evaluate("window.harmed") is None
    assert "<script>window.harmed" in visit.page.locator("#sweep-whole .question").inner_text()


def test_the_keyboard_reaches_links_folds_tables_and_the_button(visit: Visit) -> None:
    page = visit.page
    reached, seen = set(), []
    for _ in range(150):
        page.keyboard.press("Tab")
        found = page.evaluate(
            "() => { const a = document.activeElement; const s = getComputedStyle(a);"
            "return [a.tagName, a.className, s.outlineStyle] }"
        )
        reached.add(f"{found[0]}.{found[1]}".rstrip("."))
        seen.append(found[2])
    assert {"A.skip", "A", "SUMMARY", "DIV.scroll", "BUTTON.copy", "PRE"} <= reached
    assert seen.count("none") <= 2, "focus must be seen"  # the body itself, past the last one


def test_a_fold_opens_and_the_command_is_copied(visit: Visit) -> None:
    page = visit.page
    fold = page.locator("#sweep-whole-plots details").first
    fold.locator("summary").press("Enter")
    assert fold.evaluate("(fold) => fold.open")
    page.locator("#sweep-whole .copy").press("Enter")
    page.wait_for_function("document.querySelector('#sweep-whole .copied').textContent !== ''")
    assert page.evaluate("String(getSelection())").startswith("python sweeps/whole.py --seeds 0 1 2")


def test_it_prints_with_every_plot_and_every_fold_open(chromium: Browser, html: Path, tmp_path: Path) -> None:
    context = chromium.new_context(viewport=DESK, offline=True)
    page = context.new_page()
    page.goto(html.as_uri())
    page.evaluate(
        "addEventListener('beforeprint', () => { window.folds = document.querySelectorAll('details').length })"
    )
    page.evaluate(
        "addEventListener('beforeprint', () => { window.unfolded = document.querySelectorAll('[open]').length })"
    )
    page.evaluate(
        f"addEventListener('beforeprint', () => {{ window.drawn = [...{PLOTS}].every((p) => p.dataset.drawn) }})"
    )
    page.pdf(path=tmp_path / "report.pdf", format="A4")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
    assert page.evaluate("window.drawn")
    assert page.evaluate("window.unfolded") == page.evaluate("window.folds") > 5
    assert all(drawn(page))
    context.close()
