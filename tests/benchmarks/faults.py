"""Inject faults into runs on a real cluster, and compare what comes out with an undisturbed run.

python tests/benchmarks/faults.py 200      # all faults of processes into all stages, in rounds
python tests/benchmarks/faults.py links    # all faults of links, as root

Prints a table by fault and stage. The seed of a case is its round; a second number is the first.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import defaultdict
from itertools import count, islice, product
from pathlib import Path

import dask

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "cluster"))

import injection
import links
import workload
from injection import FAULTS, STAGES, Result

Results = dict[tuple[str, str], list[Result]]


def line(*cells: object) -> str:
    """A line of the table."""
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def table(results: Results) -> str:
    """Counts and the mean seconds of a run, by fault and stage."""
    names = "fault", "stage", "injected", "survived", "bytes equal", "seconds"
    lines = [line(*names), line(*["---"] * len(names))]
    total = [result for found in results.values() for result in found]
    for (fault, stage), found in [*results.items(), (("all", ""), total)]:
        struck = [result for result in found if result.injected]
        counts = len(struck), sum(not one.error for one in struck), sum(one.equal for one in struck)
        seconds = sum(one.seconds for one in struck) / max(len(struck), 1)
        lines.append(line(fault, stage, *counts, f"{seconds:.1f}"))
    return "\n".join(lines)


def of_processes(n: int, first: int) -> Results:
    """Every fault in every stage, with another worker and delay in each round; n in all."""
    results: Results = defaultdict(list)
    kinds = ((seed, *kind) for seed in count(first) for kind in product(FAULTS, STAGES))
    with injection.arena() as arena:
        if arena.undisturbed != arena.expected:
            raise AssertionError("the undisturbed run gives other bytes on the cluster")
        for seed, fault, stage in islice(kinds, n):
            one = injection.draw(seed, fault, stage, arena.n_tasks[stage])
            results[fault, stage].append(told(arena.inject(one), one))
    return results


def of_links() -> Results:
    """Every fault of a link, as every stage starts that tells its start."""
    results: Results = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder, dask.config.set(scheduler="synchronous"):
        expected = workload.run(Path(folder))
    for kind in product(links.FAULTS, [stage for stage in STAGES if stage != "gather"]):
        start, found, error = time.perf_counter(), None, ""
        with tempfile.TemporaryDirectory() as folder:
            try:
                found, _, seconds = links.run_with([kind], Path(folder))
            except Exception as failure:  # noqa: BLE001 - whatever a fault may lead to
                error, seconds = repr(failure), time.perf_counter() - start
        results[kind].append(told(Result(True, error, found == expected, seconds), kind))
    return results


def told(result: Result, one: object) -> Result:
    """The result; what did not go well is shown at once."""
    if not (result.injected and result.equal):
        print(f"{one} -> {result}", file=sys.stderr, flush=True)
    return result


if __name__ == "__main__":
    if sys.argv[1:] == ["links"]:
        print(table(of_links()))
    else:
        given = [int(arg) for arg in sys.argv[1:]]
        print(table(of_processes(*given, *[200, 0][len(given) :])))
