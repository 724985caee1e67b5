"""When tasks run on a cluster of any size: a discrete-event simulation of recorded graphs.

- The client is one process. It submits its calls in order, each after some seconds of its own;
  after one that it waits for, it goes on when the scheduler knows the results.
- The scheduler serves one after the other: it takes in a task that has ended, for some time each,
  and hands out what has become ready.
- A worker has one thread, and runs the task that comes first in Dask's order of those whose inputs
  are there. Inputs come over the network one transfer after the other, and go out so.
- A task goes where it can start first: to a worker that holds some of its inputs, or to an idle
  one. One without inputs waits in a queue for an idle worker, which, where there is none, takes
  what waits for another worker.

Not in it: stragglers, spilling, compilation, memory.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

RIDES_ALONG = 2000  # bytes that come with a message


class Call(NamedTuple):
    """What a client submits at once.

    Attributes
    ----------
    delay
        Seconds of the client before it.
    stop
        Its tasks are those up to this number that no call before has.
    wanted
        Tasks that the client waits for; none where it does not wait.
    """

    delay: float
    stop: int
    wanted: tuple[int, ...] = ()


@dataclass
class Load:
    """Tasks, in the order in which they should run, and the calls that they belong to.

    Attributes
    ----------
    seconds, nbytes, needs
        Of each task: seconds of work, bytes of its result, and the tasks that it needs.
    calls
        In their order.
    n_given
        So many first tasks are data that the cluster holds before, spread over all workers.
    """

    seconds: list[float] = field(default_factory=list)
    nbytes: list[int] = field(default_factory=list)
    needs: list[tuple[int, ...]] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    n_given: int = 0


class Outcome(NamedTuple):
    """Seconds from the first call's preparation to the last answer, and bytes that were moved."""

    seconds: float
    moved: int


class Network(NamedTuple):
    """Bytes a second of a worker's card, and seconds of each message and transfer."""

    bandwidth: float = 1e9
    latency: float = 1e-3


NETWORK = Network()


def simulate(load, workers, *, per_task=1e-3, overhead=5e-4, network=NETWORK):
    """Run a load.

    Parameters
    ----------
    load, workers
        What is to be done, and how many workers there are.
    per_task
        Seconds of the scheduler for each task.
    overhead
        Seconds of a worker for each task beside the work.
    network
        Between any two workers.
    """
    return _Run(load, workers, per_task, overhead, network).outcome()


def _some(held):
    """The last workers that came to hold a result: to look at all of a thousand takes long."""
    return islice(reversed(held), 16)


class _Run:
    def __init__(self, load, workers, per_task, overhead, network):
        self.load, self.n_workers, self.per_task, self.network = load, workers, per_task, network
        self.cost = [seconds + overhead for seconds in load.seconds]
        n = len(self.cost)
        self.users = [[] for _ in range(n)]
        for task, needs in enumerate(load.needs):
            for need in needs:
                self.users[need].append(task)
        self.missing = [len(needs) for needs in load.needs]
        self.holders = [None] * n  # by worker, when it has the result
        self.submitted = load.n_given
        self.known = bytearray(n)
        self.queue = []  # tasks that any worker may take
        self.assigned = [[] for _ in range(workers)]  # heaps of tasks whose inputs are there
        self.n_arriving = [0] * workers
        self.running = [False] * workers
        self.occupied = [0.0] * workers  # seconds of all that is assigned
        self.card_in, self.card_out = [0.0] * workers, [0.0] * workers
        self.idle = dict.fromkeys(range(workers))
        self.victim = 0
        self.events, self.n_events = [], 0
        self.now, self.scheduler_free, self.moved = 0.0, 0.0, 0
        self.call, self.awaited, self.end = 0, set(), 0.0

    def outcome(self):
        for task in range(self.load.n_given):
            self.holders[task], self.known[task] = {task % self.n_workers: 0.0}, True
            for user in self.users[task]:
                self.missing[user] -= 1
        self._push(self.load.calls[0].delay, self._submit)
        while self.events:
            self.now, _, what, args = heapq.heappop(self.events)
            what(*args)
        if not all(self.known):
            raise RuntimeError(f"{len(self.known) - sum(self.known)} tasks never ran")
        return Outcome(self.end, self.moved)

    def _push(self, at, what, *args):
        self.n_events += 1
        heapq.heappush(self.events, (at, self.n_events, what, args))

    # the client

    def _submit(self):
        call = self.load.calls[self.call]
        ready = [t for t in range(self.submitted, call.stop) if self.missing[t] == 0]
        self.submitted = call.stop
        for task in ready:
            self._place(task)
        self.awaited = {task for task in call.wanted if not self.known[task]}
        if not self.awaited:
            self._answered()

    def _answered(self):
        self.end = self.now
        self.call += 1
        if self.call < len(self.load.calls):
            self._push(self.now + self.load.calls[self.call].delay, self._submit)

    # the scheduler

    def _ended(self, task, worker):
        self.holders[task] = {worker: self.now}
        self.running[worker] = False
        self.occupied[worker] -= self.cost[task]
        self.scheduler_free = max(self.scheduler_free, self.now) + self.per_task
        self._push(self.scheduler_free, self._taken_in, task, worker)
        self._begin(worker)

    def _taken_in(self, task, worker):
        self.known[task] = True
        for user in self.users[task]:
            self.missing[user] -= 1
            if self.missing[user] == 0 and user < self.submitted:
                self._place(user)
        if not (self.running[worker] or self.assigned[worker] or self.n_arriving[worker]):
            self._employ(worker)
        if task in self.awaited:
            self.awaited.discard(task)
            if not self.awaited:
                self._answered()

    def _place(self, task):
        needs = [need for need in self.load.needs[task] if self.load.nbytes[need] >= RIDES_ALONG]
        if needs:
            self._assign(task, self._best(needs))
        elif self.idle:
            self._assign(task, next(iter(self.idle)))
        else:
            heapq.heappush(self.queue, task)

    def _best(self, needs):
        """The worker on which a task with these inputs can start first."""
        held = {}
        for need in needs:
            for worker in _some(self.holders[need]):
                held[worker] = held.get(worker, 0) + self.load.nbytes[need]
        total = sum(self.load.nbytes[need] for need in needs)
        others = dict.fromkeys(held)
        if self.idle:
            others[next(iter(self.idle))] = None
        return min(others, key=lambda worker: self._start(worker, total - held.get(worker, 0)))

    def _start(self, worker, nbytes):
        transfer = nbytes / self.network.bandwidth + self.network.latency if nbytes else 0.0
        return max(self.occupied[worker], transfer)

    def _employ(self, worker):
        """Give an idle worker what waits in the queue, or for another worker."""
        if self.queue:
            self._assign(heapq.heappop(self.queue), worker)
            return
        self.idle[worker] = None
        task = self._stolen(worker)
        if task is not None:
            self._assign(task, worker)

    def _stolen(self, worker):
        # of some workers, in turns, as looking at all would take their square
        self.victim += 1
        step = max(1, self.n_workers // 16)
        others = {(self.victim + step * n) % self.n_workers for n in range(16)}
        waiting = [other for other in others if self.assigned[other] and other != worker]
        if not waiting:
            return None
        other = max(waiting, key=self.occupied.__getitem__)
        task = max(self.assigned[other])
        missing = sum(
            self.load.nbytes[n] for n in self.load.needs[task] if worker not in self.holders[n]
        )
        if self._start(worker, missing) > self.occupied[other] / 2:
            return None
        self.assigned[other].remove(task)
        heapq.heapify(self.assigned[other])
        self.occupied[other] -= self.cost[task]
        return task

    # the workers

    def _assign(self, task, worker):
        self.idle.pop(worker, None)
        self.occupied[worker] += self.cost[task]
        at = max([self.now, *(self._fetch(need, worker) for need in self.load.needs[task])])
        if at > self.now:
            self.n_arriving[worker] += 1
            self._push(at, self._arrived, task, worker)
        else:
            heapq.heappush(self.assigned[worker], task)
            self._begin(worker)

    def _arrived(self, task, worker):
        self.n_arriving[worker] -= 1
        heapq.heappush(self.assigned[worker], task)
        self._begin(worker)

    def _fetch(self, need, worker):
        """When an input is on a worker."""
        held, nbytes = self.holders[need], self.load.nbytes[need]
        if worker in held:
            return held[worker]
        if nbytes < RIDES_ALONG:
            held[worker] = self.now + self.network.latency
            return held[worker]
        source = min(_some(held), key=lambda own: max(self.card_out[own], held[own]))
        start = max(self.now, self.card_out[source], self.card_in[worker], held[source])
        done = start + nbytes / self.network.bandwidth
        self.card_out[source] = self.card_in[worker] = done
        self.moved += nbytes
        held[worker] = done + self.network.latency
        return held[worker]

    def _begin(self, worker):
        if self.assigned[worker] and not self.running[worker]:
            task = heapq.heappop(self.assigned[worker])
            self.running[worker] = True
            self._push(self.now + self.cost[task], self._ended, task, worker)
