"""Signals that stop a job: it ends as after Ctrl-C, cleans up, and is not disturbed by more."""

from __future__ import annotations

import signal

from ..events import Event, StageFailed
from ..process import STOP_SIGNALS


class Stop:
    """A stop that has been asked for, or not yet.

    Attributes
    ----------
    asked
        Whether a signal came.
    """

    def __init__(self) -> None:
        self.asked = False

    def listen(self) -> None:
        """Take the signals that this process was not told to ignore."""
        for number in STOP_SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._stop)

    def _stop(self, *_: object) -> None:
        self.asked = True
        # a second Ctrl-C would interrupt the clearing of the draft
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    def __call__(self, event: Event) -> None:
        """Stop again where somebody took the interrupt for its own, such as a finalizer."""
        # a StageFailed is told while the interrupt is on its way: the log is to have it
        if self.asked and not isinstance(event, StageFailed):
            raise KeyboardInterrupt
