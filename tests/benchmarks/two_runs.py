"""Two jobs at once to one destination, many times: one result, one refusal, nothing left over.

python tests/benchmarks/two_runs.py 100    # at each place: a local disk and S3, Parquet and Delta
python tests/benchmarks/two_runs.py 100 delta-s3

Every second time they replace a finished result. The second job begins at a random moment of the
first, so that they meet at all stages; often at the same moment.
"""

from __future__ import annotations

import random
import re
import subprocess
import sys
import time
from collections import Counter

from places import command, left_behind, places, state

# what a refusal says: the destination was taken while the job ran, or by one that was ahead of it
_REFUSALS = {
    "writes there": r"Another run writes to .* now",
    "finished meanwhile": r"Another run finished .* meanwhile|another run publishes there",
    "exists": r"exists already, (finished at|at version)",
    "committed meanwhile": r"Another writer changed the Delta table",
}


def meet(place: str, scheduler: str, out: str, apart: float) -> tuple[str, float]:
    """Run two jobs; what the one that lost was told, and the seconds that both took."""
    before = state(out)
    options = ["--overwrite"] if before != "absent" else []
    start = time.perf_counter()
    jobs = []
    for wait in (apart, 0):
        jobs.append(
            subprocess.Popen(
                command(place, scheduler, out, 0, "--quiet", *options),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        time.sleep(wait)
    told = [job.communicate()[1] for job in jobs]
    seconds = time.perf_counter() - start
    codes = sorted(job.returncode for job in jobs)
    if state(out) in {"absent", before}:
        raise AssertionError(f"no result: {told}")
    if codes == [0, 0]:
        # they did not meet: the second one began when the first was done
        return "one after the other", seconds
    text = next(text for job, text in zip(jobs, told, strict=True) if job.returncode)
    kind = next((name for name, words in _REFUSALS.items() if re.search(words, text)), None)
    if codes != [0, 5] or kind is None or len(text.splitlines()) != 1:
        raise AssertionError(f"exit codes {codes}: {told}")
    return f"one refused: {kind}", seconds


def main(n_times: int, names: list[str]) -> None:
    """Print what the refused were told, by kind."""
    for name, place, scheduler in places(names):
        found: Counter[str] = Counter()
        longest = 1.0
        for number in range(n_times):
            # half of them at once
            apart = random.choice([0, random.uniform(0, longest)])  # noqa: S311 - no secret
            kind, seconds = meet(place, scheduler, f"{place}/out-{number // 2}", apart)
            longest = seconds / 4  # of both, which share the processors: they are to meet
            found[kind] += 1
        print(f"{name}: {dict(found)}, left behind: {left_behind(place)}", flush=True)
        if left_behind(place):
            raise SystemExit("Something is left behind.")


if __name__ == "__main__":
    main(int([*sys.argv, "100"][1]), sys.argv[2:])
