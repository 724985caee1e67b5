"""What a job tells on stderr: lines of text or JSON, and bars on a terminal."""

from __future__ import annotations

import sys

import click

from .events import Event, StageFailed, StageFinished, StageProgressed, StageStarted, Warned
from .listeners import JsonLines, ProgressBar


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
        if self.form == "json":
            if not isinstance(event, StageProgressed):
                self._json(event)
            return
        if self._bar is not None:
            self._bar(event)
        if isinstance(event, Warned):
            click.echo(f"Warning: {event.message}", err=True)
        elif isinstance(event, StageStarted):
            click.echo(f"{event.stage} ...", err=True)
        elif isinstance(event, StageFinished):
            click.echo(f"{event.stage} done in {event.seconds:.1f} s", err=True)
        elif isinstance(event, StageFailed):
            click.echo(f"{event.stage} failed after {event.seconds:.1f} s", err=True)

    def failure(self, message: str, code: int) -> None:
        """Tell what went wrong, in one line."""
        if self.form == "json":
            self._json.write("error", "Error", message=message, exit_code=code)
        else:
            click.echo(f"Error: {message}", err=True)
