"""Callbacks ready to use: a progress bar, a logger, and lines of JSON."""

from __future__ import annotations

import json
import logging
import sys
import warnings
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, TextIO

from .errors import MissingPackageError
from .events import (
    Event,
    Noted,
    StageFailed,
    StageFinished,
    StageProgressed,
    StageStarted,
    Warned,
)

_BAR = "{desc:<12} {percentage:3.0f}% |{bar:30}| {elapsed} ({remaining} left)"


class ProgressBar:
    """A bar for each stage that takes longer than half a second, on a terminal or in a notebook.

    Parameters
    ----------
    stream
        Where a terminal's bars go; None means stderr.

    Raises
    ------
    MissingPackageError
        tqdm is not installed.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream
        self._make = _find_tqdm()
        self._bar: Any = None

    def __call__(self, event: Event) -> None:
        """Draw an event."""
        if isinstance(event, StageProgressed):
            # the first progress comes after half a second: a shorter stage gets no bar
            if self._bar is None:
                self._bar = self._make(
                    desc=event.stage, bar_format=_BAR, total=event.n_tasks, file=self.stream
                )
            self._bar.total, self._bar.n = event.n_tasks, event.n_done
            self._bar.refresh()
        elif isinstance(event, StageFinished | StageFailed) and self._bar is not None:
            if isinstance(event, StageFinished):
                # the last look may be older than the last task
                self._bar.n = self._bar.total
            self._bar.close()
            self._bar = None


def _find_tqdm() -> Any:
    try:
        with warnings.catch_warnings():
            # that a notebook without ipywidgets gets bars of text
            warnings.simplefilter("ignore")
            from tqdm.auto import tqdm
    except ImportError as error:
        raise MissingPackageError(
            "A progress bar needs tqdm: pip install 'dask-kmsmote[notebook]', or tqdm alone."
        ) from error
    return tqdm


class EventLogger:
    """Passes stages and warnings to a logger of the standard library.

    Parameters
    ----------
    logger
        None means that named "dask_kmsmote".
    """

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self.logger = logger or logging.getLogger("dask_kmsmote")

    def __call__(self, event: Event) -> None:
        """Log an event."""
        level, text = describe(event)
        self.logger.log(level, "%s", text)


def describe(event: Event) -> tuple[int, str]:
    """Level and text of an event, as a log has them."""
    if isinstance(event, Warned):
        return logging.WARNING, event.message
    if isinstance(event, Noted):
        return logging.INFO, event.message
    if isinstance(event, StageFinished):
        return logging.INFO, f"{event.stage} done in {event.seconds:.1f} s"
    if isinstance(event, StageFailed):
        return logging.ERROR, f"{event.stage} failed after {event.seconds:.1f} s"
    if isinstance(event, StageStarted):
        return logging.INFO, f"{event.stage} ..."
    return logging.DEBUG, f"{event.stage}: {event.n_done} of {event.n_tasks} tasks"


class JsonLines:
    """Writes each event as one line of JSON: time, level, event, and its fields.

    Parameters
    ----------
    stream
        None means stderr.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream

    def __call__(self, event: Event) -> None:
        """Write an event."""
        level = {Warned: "warning", StageFailed: "error"}.get(type(event), "info")
        self.write(level, type(event).__name__, **asdict(event))

    def write(self, level: str, event: str, **content: Any) -> None:
        """Write one line."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"time": now, "level": level, "event": event, **content})
        print(line, file=self.stream or sys.stderr, flush=True)
