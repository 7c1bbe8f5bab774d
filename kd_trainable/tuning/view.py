"""The live view: done, running, failed, total, ETA, best so far. Silent where there is no terminal."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

import ray
from ray.tune import Callback
from rich.console import Console
from rich.live import Live
from rich.text import Text

from kd_trainable.tuning.text import duration

REFRESH_S = 0.5
BAR = 24


class View(Callback):
    """Counts runs and epochs as Tune reports them. ``total_runs``: at most, while a searcher may still propose."""

    def __init__(
        self, total_runs: int, done_before: int, epochs: int, metric: str, brokers: Sequence[Any] = ()
    ) -> None:
        self.console = Console(stderr=True)
        self.total, self.done, self.failed, self.epochs, self.metric = total_runs, done_before, 0, epochs, metric
        self.running: dict[str, int] = {}
        self.heard: set[str] = set()  # runs that have reported since they began or were resumed
        self.best: tuple[float, str] | None = None
        self.trained, self.began, self.shown = 0, time.monotonic(), 0.0
        self.brokers = list(brokers)
        self.asked: list[Any] = []  # counts that are on their way
        self.passes = (0, 0)  # kept, needed

    def __enter__(self) -> View:
        self.live = Live(self.render(), console=self.console, auto_refresh=False, transient=True)
        if self.console.is_terminal:
            self.live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self.console.is_terminal:
            self.live.stop()

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles its callbacks into its own experiment folder, which nothing resumes from

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self.running.setdefault(trial.config["spec_id"], 0)
        self.heard.discard(trial.config["spec_id"])
        self.refresh()

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        name, epoch = result["spec_id"], result["epoch"]
        for note in result.get("notes", []):
            self.console.print(note, markup=False, highlight=False, soft_wrap=True)
        before = self.running.get(name, 0) if name in self.heard else result["resumed_epoch"]
        self.trained += max(0, epoch - before)
        self.running[name] = epoch
        self.heard.add(name)
        value = result.get(self.metric)
        if value == value and value is not None and trial.config["method"] != "none":
            self.best = max(self.best or (0.0, ""), (value, label(trial.config)))
        self.refresh()

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._end(trial, failed=(trial.last_result or {}).get("status") in ("failed", "lost"))

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._end(trial, failed=True)

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        if self.console.is_terminal and time.monotonic() - self.shown > REFRESH_S:
            self._hear_brokers()
            self.refresh()

    def _hear_brokers(self) -> None:
        """Takes the brokers' counts when they are there; never waits for them."""
        if not self.asked:
            self.asked = [broker.counts.remote() for broker in self.brokers]
        ready, _ = ray.wait(self.asked, num_returns=len(self.asked), timeout=0) if self.asked else ([], [])
        if ready and len(ready) == len(self.asked):
            self.asked = []
            with contextlib.suppress(ray.exceptions.RayError):  # a broker that has died is told of by its runs
                counts = ray.get(ready)
                self.passes = (sum(c[1] for c in counts), sum(c[2] for c in counts))

    def _end(self, trial: Any, failed: bool) -> None:
        self.running.pop(trial.config["spec_id"], None)
        self.failed += failed
        self.done += not failed
        self.refresh()

    def refresh(self) -> None:
        """Draws again, where there is a terminal."""
        self.shown = time.monotonic()
        if self.console.is_terminal:
            self.live.update(self.render(), refresh=True)

    def render(self) -> Text:
        """The view as text."""
        share = (self.done + self.failed) / max(1, self.total)
        filled = round(BAR * share)
        parts = [
            "━" * filled + "─" * (BAR - filled),
            f"{self.done} done, {len(self.running)} running, {self.failed} failed of {self.total}",
            f"ETA {self.eta()}",
        ]
        if self.passes[0] < self.passes[1]:
            parts.append(f"teacher passes {self.passes[0]} of {self.passes[1]}")
        if self.best is not None:
            parts.append(f"best {self.metric.partition('_')[0]} {100 * self.best[0]:.2f} % ({self.best[1]})")
        return Text("  ".join(parts), no_wrap=True, overflow="ellipsis")

    def eta(self) -> str:
        """Time to go at the pace so far; '–' before there is one."""
        left = (self.total - self.done - self.failed) * self.epochs - sum(self.running.values())
        spent = time.monotonic() - self.began
        return duration(left * spent / self.trained) if self.trained else "–"


def label(config: Mapping[str, Any]) -> str:
    """A run's cell in a few words."""
    return f"T={config['temperature']:g} α={config['alpha']:g} {config['mode']}" if _scalar(config) else config["mode"]


def _scalar(config: Mapping[str, Any]) -> bool:
    return isinstance(config["temperature"], float) and isinstance(config["alpha"], float)
