"""The same plan, rows and files, whatever happens to the workers and the client meanwhile."""

from __future__ import annotations

import pytest

import injection
import workload
from injection import FAULTS, STAGES, Injection

pytestmark = [pytest.mark.cluster, pytest.mark.faults]

# those of all faults in all stages are injected by tests/benchmarks/faults.py
CASES = [
    ("kill", "write"),
    ("kill two", "density"),
    ("kill all", "synthesis"),
    ("stop", "survey"),
    ("stop for ever", "gather"),
    ("spill", "density"),
    ("pause", "synthesis"),
    ("memory restart", "clustering"),
    ("leave", "survey"),
    ("join", "census"),
    ("client", "synthesis"),
]


@pytest.fixture(scope="module")
def arena():
    with injection.arena() as arena:
        yield arena


def check(result):
    assert result.injected
    assert result.error == ""
    assert result.equal


def test_undisturbed(arena):
    assert arena.undisturbed == arena.expected
    assert set(arena.n_tasks) == set(STAGES)
    assert {fault for fault, _ in CASES} == set(FAULTS)


@pytest.mark.parametrize(("fault", "stage"), CASES)
def test_one_fault(arena, fault, stage):
    check(arena.inject(injection.draw(0, fault, stage, arena.n_tasks[stage])))


@pytest.mark.parametrize("persisted", [False, True])
def test_every_worker_is_killed_in_turn(arena, persisted):
    kills = [
        Injection("kill", stage, number, delay=1, persisted=persisted)
        for number, stage in enumerate(STAGES)
    ]
    check(arena.inject(*kills))


def test_workers_come_and_go_as_wanted(arena, tmp_path):
    adaptive = arena.cluster.adapt(minimum=1, maximum=4, interval="50ms", wait_count=1)
    try:
        assert workload.run(tmp_path) == arena.expected
    finally:
        adaptive.stop()
        arena.mend()
