"""A cluster on which nothing moves: it is found out, and given up with the reason.

Dask waits for ever where no worker is left, where all are paused because their memory is in use,
where a task wants what no worker has, and for a scheduler that is stopped. So while a stage
computes, a thread asks the scheduler from time to time what it sees:

    moving   a task was done since the last look, or a worker has spilled data; or one executes a
             task, of whatever client and however long, or is sent data
    at rest  nothing that this client wants is pending: it is computing itself
    still    neither, or no answer

What is still for the `worker_timeout` is stuck. Then the futures that the client has made since the
stage began are cancelled: the thread that waits for them wakes, and its exception becomes a
`ClusterError` that says why. What the user holds on the cluster stays there.

A worker that is silent may be stopped, or busy with a task that holds the interpreter lock. While
the scheduler has a time after which it gives up such a worker (`distributed.scheduler.worker-ttl`),
that counts as moving.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from time import perf_counter, sleep
from typing import Any
from uuid import uuid4

import dask
from dask.utils import parse_timedelta

from ...errors import ClusterError, ParameterError
from .environments import require_same_environment
from .questions import Look, list_workers, look_at
from .reasons import TIMEOUT, no_answer, no_worker, why_still

INTERVAL = 0.5  # seconds between two looks
_SELDOM = 10.0  # seconds at most
_DEFAULT_TIMEOUT = 300.0
_Report = Callable[[int, int], None]


@contextmanager
def watching(client: Any, name: str, report: _Report | None = None) -> Iterator[None]:
    """Wait for a worker, see that all can do the work, and that the cluster moves in the body.

    Parameters
    ----------
    client
        Of `distributed`.
    name
        What is computed, for messages.
    report
        Told from time to time how many tasks are done, and how many there are.

    Raises
    ------
    ClusterError
        Why the body would have waited for ever; or the scheduler was lost.
    """
    timeout = worker_timeout()
    try:
        require_same_environment(client, _await_workers(client, timeout), timeout)
        watch, over = _Watch(client, name, timeout, report), threading.Event()
    except ClusterError:
        raise
    except OSError as error:
        raise ClusterError(no_answer(client.scheduler.address, timeout)) from error
    thread = threading.Thread(target=watch.run, args=(over,), name="kmsmote-watch", daemon=True)
    thread.start()
    try:
        yield
    except Exception as error:
        if watch.reason:
            raise ClusterError(watch.reason) from error
        if isinstance(error, CancelledError):
            # how a client tells of a lost scheduler: no OSError, and without the address
            raise ClusterError(
                f"The scheduler at {watch.address} was lost, or gave up a task: "
                f"{watch.failure() or error}"
            ) from error
        raise
    finally:
        over.set()
        # a scheduler that has stopped answering must not stop the run from ending
        thread.join(timeout=2 * INTERVAL)


def worker_timeout() -> float:
    """Seconds that a cluster may do nothing, from Dask's configuration.

    Raises
    ------
    ParameterError
        They are no time.
    """
    given = dask.config.get(TIMEOUT, _DEFAULT_TIMEOUT)
    try:
        seconds = float(parse_timedelta(given))
    except (TypeError, ValueError, LookupError, AttributeError):
        seconds = -1.0
    if not seconds >= 0:
        raise ParameterError(
            f"Dask's configuration has {given!r} for {TIMEOUT}, which is no time: "
            f'dask.config.set({{"{TIMEOUT}": {_DEFAULT_TIMEOUT:g}}}).'
        )
    return seconds


def _await_workers(client: Any, timeout: float) -> list[str]:
    """The addresses of all workers, of which there is one at least."""
    wanted, start = None, perf_counter()
    while not (found := list_workers(client, timeout)):
        if perf_counter() - start >= timeout:
            raise ClusterError(no_worker(client.scheduler.address, timeout))
        # an adaptive cluster starts workers for tasks alone; one that any worker can do
        wanted = wanted or client.submit(int, key=f"kmsmote-worker-{uuid4().hex}")
        sleep(INTERVAL)
    return found


class _Watch:
    """Looks at a scheduler until the stage is over.

    Attributes
    ----------
    address
        Of the scheduler.
    reason
        Why the stage was given up; empty where it was not.
    """

    def __init__(self, client: Any, name: str, timeout: float, report: _Report | None) -> None:
        from distributed.utils import thread_state

        self.client, self.name, self.timeout, self.report = client, name, timeout, report
        self.address, self.reason = client.scheduler.address, ""
        self.own = getattr(thread_state, "key", None)  # of the task that computes this, if one does
        # without somebody to tell, seldom: the scheduler logs each question
        self.interval = INTERVAL if report else min(max(timeout / 20, INTERVAL), _SELDOM)
        self.held = set(client.futures)
        self.first = look_at(client, timeout, self.own)

    def run(self, over: threading.Event) -> None:
        """Look, and tell, until it is over; give up what is stuck."""
        last, moved = self.first, perf_counter()
        while not over.wait(self.interval):
            # again and again: the other thread may have come to wait for something else
            if self.reason:
                self._give_up()
                continue
            look = self._look(self.timeout - (perf_counter() - moved))
            if over.is_set():
                return
            if look is not None:
                self._tell(look)
                if look.moves != last.moves or not look.still:
                    moved = perf_counter()
                last = look
            if perf_counter() - moved >= max(self.timeout, last.lag):
                self.reason = why_still(self.client, self.name, self.timeout)

    def failure(self) -> str:
        """What a task of the stage failed with, such as a module that the scheduler has not."""
        for key, state in list(self.client.futures.items()):
            if state.status == "error" and key not in self.held:
                cause = state.exception.__cause__ or state.exception
                return f"{type(cause).__name__}: {cause}"
        return ""

    def _look(self, seconds: float) -> Look | None:
        try:
            return look_at(self.client, seconds, self.own)
        except OSError:
            return None

    def _tell(self, look: Look) -> None:
        # a scheduler forgets tasks, so there may be fewer than before
        n_tasks = max(look.n_tasks - self.first.n_tasks, 0)
        if self.report is not None:
            self.report(min(max(look.n_done - self.first.n_done, 0), n_tasks), n_tasks)

    def _give_up(self) -> None:
        """Wake the thread that waits for the cluster."""
        from distributed import Future

        client = self.client
        pending = [
            Future(key, client)
            for key, state in list(client.futures.items())
            if state.status == "pending" and key not in self.held
        ]
        if pending:
            client.cancel(pending)
        else:
            # it waits for what is done, which the scheduler hands on
            client.loop.add_callback(client.rpc.remove, self.address)
