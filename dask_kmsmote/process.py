"""Settings of the whole process that overlapping runs change once.

`dask.config`, BLAS and the filters of warnings have one state for all threads. Two runs that
overlap would restore each other's values:

    run A  |-- on ------------- off --|           A's "off" would switch it off for B,
    run B        |-- on ------------------ off --|   B's "off" would bring A's value back

So overlapping runs share one `ProcessSetting`: the first one in makes the change, the last one out
takes it back. (Two settings of the same state would still undo each other.) A lock that is held for
a whole run would not do, as it could stop a run inside of a task.
"""

from __future__ import annotations

import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from types import FrameType
from typing import Any

# what batch systems, terminals and users stop a process by
STOP_SIGNALS = signal.SIGINT, signal.SIGTERM, signal.SIGHUP


class ProcessSetting:
    """Changes of the process, in force while at least one run is inside.

    Parameters
    ----------
    changes
        Each makes a context manager that changes something, and takes it back.
    """

    def __init__(self, *changes: Callable[[], AbstractContextManager[Any]]) -> None:
        self._changes = changes
        self._users = 0
        self._undo = ExitStack()

    def __enter__(self) -> None:
        with _STATE:
            self._users += 1
            if self._users == 1:
                for change in self._changes:
                    self._undo.enter_context(change())

    def __exit__(self, *_: object) -> None:
        with _STATE:
            self._users -= 1
            if self._users == 0:
                self._undo.close()


# one lock for all settings, as they change the same state
_STATE = threading.Lock()


def levels_to_caller() -> int:
    """Levels of the stack, from who asks, to the code that called the package: for a warning.

    What decorators and pipelines put between is passed over, too.
    """
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and _is_between(frame):
        level, frame = level + 1, frame.f_back
    return level


def _is_between(frame: FrameType) -> bool:
    room = str(frame.f_globals.get("__name__")).partition(".")[0]
    return room in {"dask_kmsmote", "sklearn", "imblearn"}


@contextmanager
def muted(messages: str, category: type[Warning] = Warning) -> Iterator[None]:
    """Show no warning of a kind whose message begins with a match of a pattern."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", messages, category)
        yield


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ignore signals that stop a job while the body runs: it is short, and all but done."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
