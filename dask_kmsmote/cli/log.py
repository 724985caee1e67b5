"""What a job tells on stderr: lines of text or JSON, and bars on a terminal."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from ..events import Event, StageProgressed, Warned
from ..listeners import JsonLines, ProgressBar, describe
from .failures import with_options


def open_streams() -> None:
    """Have something to write to where the process was started without stdout or stderr."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # where libraries write without a look
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - open for good


@contextmanager
def _unheard(*, err: bool) -> Iterator[None]:
    """Let a stream that nobody reads, or that is full, not change how a job ends."""
    try:
        yield
    except OSError:
        # the interpreter flushes it at its end
        with Path(os.devnull).open("w", encoding="utf-8") as nothing:
            os.dup2(nothing.fileno(), 2 if err else 1)


def say(text: str, *, err: bool = False) -> None:
    """Write lines to stdout or stderr; signs that would steer a terminal are spelled out."""
    lines = text.rstrip("\n").split("\n")
    spelled = ["".join(s if s.isprintable() else ascii(s)[1:-1] for s in line) for line in lines]
    encoding = getattr(sys.stderr if err else sys.stdout, "encoding", None) or "utf-8"
    with _unheard(err=err):
        # a stream may be in latin-1: a UnicodeEncodeError is a ValueError, which would end the job
        shown = "\n".join(spelled).encode(encoding, "backslashreplace")
        click.echo(shown.decode(encoding), err=err)


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
        self._json = JsonLines()
        self._bar = ProgressBar() if self.is_live else None

    @property
    def is_live(self) -> bool:
        """Whether a line may be drawn anew."""
        return self.form == "text" and not self.quiet and sys.stderr.isatty()

    def __call__(self, event: Event) -> None:
        """Tell an event."""
        if self.quiet:
            return
        with _unheard(err=True):
            self._tell(event)

    def _tell(self, event: Event) -> None:
        if self.form == "json":
            # up to two a second: they are for a bar, and would bury the rest of a log
            if not isinstance(event, StageProgressed):
                self._json(event)
            return
        if self._bar is not None:
            self._bar(event)
        level, text = describe(event)
        if level > logging.DEBUG:
            is_warning = isinstance(event, Warned)
            say(f"Warning: {with_options(text)}" if is_warning else text, err=True)

    def failure(self, message: str, code: int) -> None:
        """Tell what went wrong, in one line."""
        if self.form == "text":
            say(f"Error: {message}", err=True)
        else:
            with _unheard(err=True):
                self._json.write("error", "Error", message=message, exit_code=code)
