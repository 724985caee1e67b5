"""Let a store fail at random moments of whole jobs, and count what is left.

python tests/benchmarks/store_faults.py 200             # S3 (SeaweedFS); threads, and two workers
python tests/benchmarks/store_faults.py 200 parquet 60  # kind of destination, first seed

Each second job or so replaces a result. A job must end with exit code 0 and the new result whole,
or with 5 and the destination as it was (or as the next run makes it whole); anything else is lost,
as is a job that does not end. See `faulty_store` for what the times are.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import faulty_store
import object_store

ENDS = "retried", "failed", "lost"


def line(*cells: object) -> str:
    """A line of the table."""
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def table(found: dict[tuple[str, str], list[faulty_store.Outcome]]) -> str:
    """How jobs ended, by kind and length of the fault."""
    names = "fault", "lasts", "jobs", "requests struck", *ENDS, "longest s"
    lines = [line(*names), line(*["---"] * len(names))]
    total = [outcome for own in found.values() for outcome in own]
    for (kind, length), own in [*sorted(found.items()), (("all", ""), total)]:
        ends = Counter(outcome.end for outcome in own)
        n_struck, longest = sum(one.struck for one in own), max(one.seconds for one in own)
        counts = [ends[end] for end in ENDS]
        lines.append(line(kind, length, sum(counts), n_struck, *counts, f"{longest:.1f}"))
    return "\n".join(lines)


def main(n: int = 200, destination: str = "parquet", first: int = 0) -> None:
    """Inject so many faults, and print the table."""
    found: dict[tuple[str, str], list[faulty_store.Outcome]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder, object_store.serve(Path(folder)) as address:
        os.environ.update(object_store.environment(address))
        with faulty_store.arena(address, workers=True) as arena:
            n_struck, cases = 0, faulty_store.cases(10 * n, first, destination)
            # a fault that comes after the end of a job is none
            while n_struck < n:
                case = next(cases)
                outcome = arena.inject(case)
                n_struck += outcome.end != "spared"
                print(case, outcome, file=sys.stderr, flush=True)
                if outcome.end != "spared":
                    found[case.kind, case.length].append(outcome)
    print(table(found))


if __name__ == "__main__":
    number, *rest = [*sys.argv[1:], "200"][: max(1, len(sys.argv) - 1)]
    main(int(number), *rest[:1], *map(int, rest[1:2]))
