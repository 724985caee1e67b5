"""An alarm for what may hang."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager


@contextmanager
def time_limit(seconds):
    """A TimeoutError after so many seconds; in the main thread alone, as signals are."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(*_):
        raise TimeoutError(f"no end within {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
