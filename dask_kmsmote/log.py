"""What a job tells on stderr: lines of text or JSON, and on a terminal how far a stage has come."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

import click

from .events import Event, StageFinished, StageStarted

REFRESH_SECONDS = 1.0


class Log:
    """Events and errors, as lines.

    Attributes
    ----------
    form
        "text" or "json".
    quiet
        Errors only.
    """

    def __init__(self, form: str, *, quiet: bool) -> None:
        self.form = form
        self.quiet = quiet
        self.stage: str | None = None
        self.started = 0.0

    @property
    def is_live(self) -> bool:
        """Whether a line may be drawn anew."""
        return self.form == "text" and not self.quiet and sys.stderr.isatty()

    def __call__(self, event: Event) -> None:
        """Tell an event."""
        self.stage = event.stage if isinstance(event, StageStarted) else None
        self.started = perf_counter()
        if self.quiet:
            return
        if self.form == "json":
            self._line("info", type(event).__name__, **asdict(event))
        elif isinstance(event, StageStarted):
            click.echo(f"{event.stage} ...", err=True, nl=False)
        elif isinstance(event, StageFinished):
            head = f"\r\x1b[K{event.stage} ..." if self.is_live else ""
            click.echo(f"{head} {event.seconds:.1f} s", err=True)

    def error(self, message: str, code: int) -> None:
        """Tell what went wrong, in one line."""
        if self.form == "json":
            self._line("error", "Error", message=message, exit_code=code)
        else:
            lead = "\n" if self.stage and not self.quiet else ""
            click.echo(f"{lead}Error: {message}", err=True)

    def _line(self, level: str, event: str, **content: Any) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = {"time": now, "level": level, "event": event, **content}
        click.echo(json.dumps(line), err=True)

    @contextmanager
    def progress(self) -> Iterator[None]:
        """On a terminal, show shares and times left of stages while the body runs."""
        if not self.is_live:
            yield
            return
        done = threading.Event()
        painter = threading.Thread(target=self._paint, args=(done,), daemon=True)
        painter.start()
        try:
            yield
        finally:
            done.set()
            painter.join()

    def _paint(self, done: threading.Event) -> None:
        while not done.wait(REFRESH_SECONDS):
            stage, seconds = self.stage, perf_counter() - self.started
            share = tasks_done()
            if stage is None or share is None or stage != self.stage:
                continue
            left = f", {seconds / share - seconds:.0f} s left" if share > 0 else ""
            text = f"\r\x1b[K{stage} ... {share:.0%}, {seconds:.0f} s{left}"
            click.echo(text, err=True, nl=False)


def tasks_done() -> float | None:
    """Share of the cluster's present tasks that are done; None where there is no cluster."""
    from distributed import get_client

    try:
        total, done = get_client().run_on_scheduler(_count_tasks)
    except Exception:  # noqa: BLE001 - a line on a terminal is not worth a failed job
        return None
    return float(done / total) if total else None


def _count_tasks(dask_scheduler: Any) -> tuple[int, int]:
    states = [task.state for task in list(dask_scheduler.tasks.values())]
    return len(states), sum(state in {"memory", "released", "erred"} for state in states)
