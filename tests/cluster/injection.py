"""Faults in a real cluster, at a chosen moment of a run.

The moment is counted, not timed: a plugin of the scheduler, which runs in this process, sees each
task of a stage begin and end, and strikes when so many of them are done. Faults of memory must
have taken effect before the stage goes on: they strike as it starts, while the client waits.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import tempfile
import time
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import dask
import psutil
from dask.utils import key_split
from distributed import Client, LocalCluster, Status
from distributed.diagnostics.plugin import SchedulerPlugin
from distributed.utils import get_mp_context

import workload
from alarm import time_limit
from dask_kmsmote.events import StageStarted

WORKERS = 3
MEMORY_LIMIT = 2**30
PATIENCE = 120  # seconds after which a run counts as hung
STOPPED = 1.0  # seconds that a worker stays so
PAUSED = 5.0  # likewise, while its memory is held (see `fill_memory`)

COMPUTED = ("census", "clustering", "survey", "gather", "density", "synthesis")
# and the tasks that are theirs; what is fused has several names, a later stage last
STAGES = {stage: (f"kmsmote-{stage}",) for stage in COMPUTED}
STAGES["write"] = ("toparquet", "to-parquet")
MEMORY = {"spill": 0.75, "pause": 0.85, "memory restart": 0.98}  # shares of the limit
FAULTS = ("kill", "kill two", "kill all", "stop", "stop for ever", *MEMORY, "leave", "join",
          "client")  # fmt: skip


class Injection(NamedTuple):
    """One fault.

    Attributes
    ----------
    fault, stage
        Of `FAULTS` and `STAGES`.
    worker
        Its number; with a fault of several workers, that of the first.
    delay
        Tasks of the stage that are done before it strikes.
    persisted
        Whether X and y were persisted on the cluster.
    """

    fault: str
    stage: str
    worker: int = 0
    delay: int = 0
    persisted: bool = False


class Result(NamedTuple):
    """What came of an injection; `error` is empty where the run survived."""

    injected: bool
    error: str
    equal: bool
    seconds: float


def draw(seed, fault, stage, n_tasks):
    """An injection of this kind into a stage of so many tasks."""
    rng = random.Random(f"{seed} {fault} {stage}")  # noqa: S311 - no secret
    return Injection(
        fault, stage, rng.randrange(WORKERS), rng.randrange(n_tasks), rng.random() < 0.5
    )


def stage_of(key):
    """The stage of a task, or None."""
    name = key_split(key)
    found = [stage for stage, names in STAGES.items() if any(part in name for part in names)]
    return found[-1] if found else None


class Trigger(SchedulerPlugin):
    """Counts the tasks of all stages that are done; calls `strike` once, at its moment."""

    name = "kmsmote-faults"

    def __init__(self, injections=(), strike=None):
        self.waiting = list(injections)
        self.strike = strike
        self.done = Counter()

    def transition(self, key, start, finish, *args, **kwargs):
        """Called by the scheduler as a task changes its state."""
        stage = stage_of(key)
        if stage is None or finish not in ("processing", "memory"):
            return
        self.done[stage] += finish == "memory"
        for injection in list(self.waiting):
            if injection.stage == stage and self.done[stage] >= injection.delay:
                self.waiting.remove(injection)
                self.strike(injection)


class Arena:
    """A cluster of worker processes, each with a nanny, that faults are injected into."""

    def __init__(self, cluster, client):
        self.cluster, self.client = cluster, client
        self.stopped = []  # processes
        self.tasks = set()  # of the event loop, of faults that take their time
        self.runner = None  # process of a client that will die
        with tempfile.TemporaryDirectory() as folder, dask.config.set(scheduler="synchronous"):
            self.expected = workload.run(Path(folder))
        counting = Trigger()
        with self._plugged(counting), tempfile.TemporaryDirectory() as folder:
            self.undisturbed = workload.run(Path(folder))
        self.n_tasks = dict(counting.done)

    def inject(self, *injections):
        """Run with these faults, and mend the cluster."""
        sooner = [one for one in injections if one.fault in MEMORY]
        trigger = Trigger([one for one in injections if one not in sooner], self._strike)

        def fill(event):
            for one in [one for one in sooner if event == StageStarted(_told_stage(one.stage))]:
                self._fill(one)
                sooner.remove(one)

        written = self._disk_writes()
        start, found, error = time.perf_counter(), None, ""
        try:
            with (
                time_limit(PATIENCE),
                self._plugged(trigger),
                tempfile.TemporaryDirectory() as folder,
            ):
                found = self._run(Path(folder), injections, fill)
        except Exception as failure:  # noqa: BLE001 - whatever a fault may lead to
            error = f"{type(failure).__name__}: {failure}"
        seconds = time.perf_counter() - start
        spilled = self._disk_writes() > written
        self.mend()
        injected = not (trigger.waiting or sooner)
        if any(one.fault == "spill" for one in injections):
            injected = injected and spilled
        return Result(injected, error, found == self.expected, seconds)

    def _run(self, folder, injections, callback):
        persisted = any(one.persisted for one in injections)
        if any(one.fault == "client" for one in injections):
            address = self.cluster.scheduler_address
            self.runner = get_mp_context().Process(
                target=workload.run_as_client, args=(address, str(folder), persisted)
            )
            self.runner.start()
            self.runner.join()
            if self.runner.exitcode != -signal.SIGKILL:
                raise AssertionError(f"the client was not killed: {self.runner.exitcode}")
            plan = folder / "plan.json"
            planned = plan.read_text(encoding="utf-8") if plan.exists() else None
            lazy = injections[0].stage in ("synthesis", "write")
            if planned != (self.expected.plan if lazy else None):
                raise AssertionError(f"the plan of the client that died: {planned}")
        return workload.run(folder, [callback], persisted=persisted)

    def _strike(self, one):
        # in the scheduler's thread, between two tasks
        workers = self._workers()
        first = workers[one.worker % len(workers) :] + workers[: one.worker % len(workers)]
        if one.fault.startswith("kill"):
            for worker in first[: {"kill": 1, "kill two": 2, "kill all": WORKERS}[one.fault]]:
                os.kill(worker.pid, signal.SIGKILL)
        elif one.fault.startswith("stop"):
            self._stop(psutil.Process(first[0].pid), for_ever=one.fault == "stop for ever")
        elif one.fault == "client":
            self.runner.kill()
        elif one.fault == "leave":
            self._later(self._leave(first[0].name))
        elif one.fault == "join":
            self.cluster.scale(len(self.cluster.worker_spec) + 1)

    def _workers(self):
        nannies = self.cluster.workers
        return [nannies[name] for name in sorted(nannies) if nannies[name].pid]

    def _later(self, coroutine):
        task = asyncio.ensure_future(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _leave(self, name):
        await self.cluster.scale_down([name])

    def _stop(self, process, *, for_ever):
        process.suspend()
        self.stopped.append(process)
        if for_ever:
            # it counts as lost after this or ten heartbeats, by default after 300 s
            self.cluster.scheduler.worker_ttl = 1
        else:
            asyncio.get_running_loop().call_later(STOPPED, self.resume)

    def resume(self):
        """Let all stopped workers go on."""
        while self.stopped:
            with suppress(psutil.NoSuchProcess):  # its nanny ended it meanwhile
                self.stopped.pop().resume()

    def _fill(self, one):
        workers = [worker.worker_address for worker in self._workers()]
        if one.fault != "spill":
            workers = [workers[one.worker % WORKERS]]
        # it fails where the nanny ends the worker in the middle, as it must at the limit
        with suppress(OSError):
            self.client.run(fill_memory, MEMORY[one.fault], workers=workers)

    def _disk_writes(self):
        return sum(self.client.run(count_disk_writes, on_error="ignore").values())

    def mend(self):
        """As many workers as in the beginning, all running and empty."""
        self.resume()
        if self.runner is not None:
            self.runner.kill()
            self.runner.join()
            self.runner = None
        self.cluster.scheduler.worker_ttl = 300
        self.cluster.scale(WORKERS)
        deadline = time.monotonic() + PATIENCE
        while not self._is_whole():
            if time.monotonic() > deadline:
                raise TimeoutError("the cluster did not come back")
            time.sleep(0.05)

    def _is_whole(self):
        with suppress(OSError):  # a worker left while it was asked: not yet
            states = self.client.run(release_memory, on_error="ignore")
            running = {pid for pid, state in states.values() if state == Status.running}
            pids = {nanny.pid for nanny in self.cluster.workers.values()}
            return len(states) == WORKERS and running == pids and not self.tasks
        return False

    @contextmanager
    def _plugged(self, plugin):
        self.cluster.scheduler.add_plugin(plugin)
        try:
            yield
        finally:
            self.cluster.scheduler.remove_plugin(plugin.name)


@contextmanager
def arena():
    """An arena for as long as the body runs.

    Its workers are forked from a server that has imported all: a new one is up within a second.
    """
    settings = {
        "distributed.worker.multiprocessing-method": "forkserver",
        "distributed.scheduler.worker-ttl": "1s",  # how often it looks
        "distributed.logging.distributed": "critical",
    }
    with dask.config.set(settings):
        preloaded = ["distributed", "dask_ml.cluster", "dask.dataframe", "pyarrow.parquet"]
        get_mp_context().set_forkserver_preload([*preloaded, "dask_kmsmote.sampler", "workload"])
        with (
            LocalCluster(
                n_workers=WORKERS,
                threads_per_worker=1,
                memory_limit=MEMORY_LIMIT,
                dashboard_address=":0",
                silence_logs="CRITICAL",
            ) as cluster,
            Client(cluster) as client,
        ):
            cluster.scheduler.worker_ttl = 300
            arena = Arena(cluster, client)
            try:
                yield arena
            finally:
                arena.resume()


async def fill_memory(share, dask_worker):
    """On a worker: hold memory up to a share of its limit, and return when that had its effect.

    The worker gets its memory back after a while: one that was to spill may pause as well, where
    its own memory still grows. A paused worker keeps the tasks that it was sent before, and Dask
    does not always move them to another (distributed issue 5235): with two workers of one thread,
    map a task of 0.3 s over 40 numbers and pause one worker; the last of them never ends.
    """
    manager, held = dask_worker.memory_manager, []
    dask_worker.held = held
    for _ in range(200):
        # again and again: other memory is freed meanwhile
        missing = int(share * manager.memory_limit) - dask_worker.monitor.get_process_memory()
        held.append(b"\1" * max(missing, 0))
        spilled = share <= manager.memory_pause_fraction and not manager.data.fast
        if spilled or (share < 0.95 and dask_worker.status == Status.paused):
            asyncio.get_running_loop().call_later(PAUSED, held.clear)
            return
        await asyncio.sleep(0.05)
    raise RuntimeError("full memory had no effect")


def release_memory(dask_worker):
    """On a worker: hold no more; its process and state."""
    getattr(dask_worker, "held", []).clear()
    return os.getpid(), dask_worker.status


def count_disk_writes(dask_worker):
    """On a worker: how often it has written data to its disk so far."""
    return dask_worker.data.cumulative_metrics["disk-write", "count"]


def _told_stage(stage):
    return "density" if stage == "gather" else stage
