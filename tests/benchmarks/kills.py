"""Kill jobs at random moments, and look what is left.

python tests/benchmarks/kills.py 100    # half of them on a local disk, half on S3 (SeaweedFS)

Each job replaces a finished destination every second time. After a kill (SIGKILL of the client),
the destination must be absent, the old one, or whole; the rerun must succeed.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))

import object_store
from dask_kmsmote.job.storage.location import Location
from dask_kmsmote.job.storage.manifest import read_manifest

ROWS = 60_000
PROGRAM = Path(sys.executable).parent / "dask-kmsmote"


def state(out: str) -> str:
    """What a destination is: absent, or the run that made it; raises where it is not whole."""
    manifest = read_manifest(Location(out))
    if manifest is None:
        return "absent"
    counts = pd.read_parquet(out, columns=["label"])["label"].value_counts()
    if counts.to_dict() != {0: ROWS * 9 // 10, 1: ROWS * 9 // 10}:
        raise AssertionError(f"{out} is not whole: {counts.to_dict()}")
    return str(manifest["run"])


def kill_once(place: str, scheduler: str, number: int, longest: float) -> tuple[str, float]:
    """Kill one job; what was left, and the seconds that the rerun took."""
    out = f"{place}/out-{number // 2}"
    common = [PROGRAM, "resample", f"{place}/source", out, "--target", "label", "--seed", "0"]
    command = [*common, "--scheduler", scheduler, "--overwrite", "--quiet"]
    before = state(out)
    job = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    # only a random moment is wanted, none in particular
    time.sleep(random.uniform(0, longest))  # noqa: S311 - no secret
    job.kill()
    job.wait()
    after = state(out)
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    if state(out) in {"absent", before, after}:
        raise AssertionError("the rerun changed nothing")
    seconds = time.perf_counter() - start
    left = "absent" if after == "absent" else "old" if after == before else "new"
    return f"{'old' if before != 'absent' else 'absent'} -> {left}", seconds


def main(n_kills: int) -> None:
    """Print what was left, by kind."""
    from distributed import LocalCluster

    rng = np.random.default_rng(0)
    label = rng.permutation(np.repeat([0, 1], [ROWS * 9 // 10, ROWS // 10]))
    frame = pd.DataFrame(rng.normal(size=(ROWS, 6)), columns=list("abcdef")).assign(label=label)
    with (
        tempfile.TemporaryDirectory() as folder,
        object_store.serve(Path(folder)) as address,
    ):
        os.environ.update(object_store.environment(address))
        import s3fs

        s3fs.S3FileSystem().mkdir("kills")
        with LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None) as cluster:
            for place in (f"{folder}/local", "s3://kills"):
                Location(place).fs.makedirs(f"{Location(place).path}/source", exist_ok=True)
                for part in range(4):
                    rows = frame.iloc[part * ROWS // 4 : (part + 1) * ROWS // 4]
                    rows.to_parquet(f"{place}/source/part-{part}.parquet")
                found: Counter[str] = Counter()
                longest = 6.0
                for number in range(n_kills // 2):
                    kind, seconds = kill_once(place, cluster.scheduler_address, number, longest)
                    found[kind] += 1
                    longest = seconds
                left = [name for name in Location(place).files() if "kmsmote-" in name]
                print(f"{place.partition(':')[0]}: {dict(found)}, left behind: {left}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
