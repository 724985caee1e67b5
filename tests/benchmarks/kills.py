"""Kill jobs at random moments, with readers beside them, and look what is left.

python tests/benchmarks/kills.py 100    # at each place: a local disk and S3, Parquet and Delta
python tests/benchmarks/kills.py 100 local delta-s3

Each job replaces a finished destination every second time. After a kill (SIGKILL of the client),
the destination must be absent, the old one, or whole, or on a store committed, so that the next run
brings it to its end; the rerun must succeed. All the while a process for each reader reads the
destination: it must find it whole, or raise.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

from places import column, command, is_delta, left_behind, places, state, sum_of


def by_pandas(out: str) -> Any:
    """A column of a table."""
    import pandas as pd

    return pd.read_parquet(out, columns=["a"])["a"]


def by_pyarrow(out: str) -> Any:
    """A column of a table that is listed first, and read later."""
    import pyarrow.dataset as ds

    from dask_kmsmote.job.storage.location import Location

    place = Location(out)
    place.fs.invalidate_cache()
    return ds.dataset(place.path, filesystem=place.fs).to_table()["a"].to_pandas()


def by_duckdb(out: str) -> Any:
    """A column of a pattern of names."""
    import duckdb

    from dask_kmsmote.job.storage.location import Location

    with duckdb.connect() as connection:
        if "://" in out:
            Location(out).fs.invalidate_cache()
            connection.register_filesystem(Location(out).fs)
        return connection.execute(f"SELECT a FROM '{out}/*.parquet'").df()["a"]  # noqa: S608


def by_deltalake(out: str) -> Any:
    """A column of a version."""
    return column(out, "a")


def by_polars(out: str) -> Any:
    """A column of a version, read later."""
    import polars as pl

    return pl.scan_delta(out).select("a").collect().to_pandas()["a"]


def by_duckdb_of_delta(out: str) -> Any:
    """A column of the files of a version."""
    import duckdb
    from deltalake import DeltaTable

    dataset = DeltaTable(out).to_pyarrow_dataset()  # noqa: F841 - DuckDB finds it by its name
    with duckdb.connect() as connection:
        return connection.execute("SELECT a FROM dataset").df()["a"]


READERS = {"pandas": by_pandas, "pyarrow": by_pyarrow, "duckdb": by_duckdb}
OF_DELTA = {"deltalake": by_deltalake, "polars": by_polars, "duckdb": by_duckdb_of_delta}


def readers_of(place: str) -> dict[str, Any]:
    """Readers of what is written there."""
    return OF_DELTA if is_delta(place) else READERS


def read_on(name: str, out: Any, stop: Any, found: Any) -> None:
    """Read the place that is named now until told to stop; put how often what was found."""
    counts: Counter[Any] = Counter()
    while not stop.is_set():
        place = out.value.decode()
        try:
            values = readers_of(place)[name](place)
        except Exception:  # noqa: BLE001 - a reader has an error of its own for each
            counts["error"] += 1
            time.sleep(0.01)  # what is absent would be asked for without end
        else:
            counts[place, sum_of(values)] += 1
            time.sleep(0.05)  # jobs need the processors, too
    found.put((name, counts))


@contextmanager
def readers(kind: str) -> Iterator[tuple[Any, dict[str, Counter[Any]]]]:
    """The place that they read, to be set; and what they found, filled at the end."""
    context = get_context("spawn")
    stop, queue = context.Event(), context.Queue()
    out = context.Array("c", 4096)
    names = readers_of(kind)
    made = [context.Process(target=read_on, args=(n, out, stop, queue)) for n in names]
    for process in made:
        process.start()
    told: dict[str, Counter[Any]] = {}
    try:
        yield out, told
    finally:
        stop.set()
        told.update(queue.get() for _ in made)
        for process in made:
            process.join()


def kill_once(run: list[str], out: str, longest: float) -> tuple[str, float]:
    """Kill one job; what was left, and the seconds that the rerun took."""
    before = state(out)
    job = subprocess.Popen(run, stdout=subprocess.DEVNULL)
    # only a random moment is wanted, none in particular
    time.sleep(random.uniform(0, longest))  # noqa: S311 - no secret
    job.kill()
    job.wait()
    after = state(out)
    start = time.perf_counter()
    subprocess.run(run, check=True, stdout=subprocess.DEVNULL)
    if state(out) in {"absent", "committed", before, after}:
        raise AssertionError("the rerun changed nothing")
    left = after if after in {"absent", "committed"} else "old" if after == before else "new"
    was = "old" if before != "absent" else "absent"
    return f"{was} -> {left}", time.perf_counter() - start


def kinds_of(counts: Counter[Any], sums: dict[tuple[str, float], str]) -> dict[str, int]:
    """How often what was read, by kind; what no job has written is a part."""
    kinds = Counter({"old": 0, "new": 0, "error": 0, "part": 0})
    for what, n in counts.items():
        kinds[what if what == "error" else sums.get(what, "part")] += n
    return dict(kinds)


def main(n_kills: int, names: list[str]) -> None:
    """Print what was left, and what was read, by kind."""
    for name, place, scheduler in places(names):
        found: Counter[str] = Counter()
        sums: dict[tuple[str, float], str] = {}
        longest = 6.0
        with readers(place) as (looked_at, told):
            for number in range(n_kills):
                out = f"{place}/out-{number // 2}"
                looked_at.value = out.encode()
                run = command(place, scheduler, out, number, "--overwrite", "--quiet")
                kind, longest = kill_once(run, out, longest)
                found[kind] += 1
                sums[out, sum_of(column(out, "a"))] = ("old", "new")[number % 2]
        left = left_behind(place)
        print(f"{name}: {dict(found)}, left behind: {left}", flush=True)
        read = {reader: kinds_of(counts, sums) for reader, counts in told.items()}
        for reader, kinds in read.items():
            print(f"{name}: read by {reader}: {kinds}", flush=True)
        if left or any(kinds["part"] for kinds in read.values()):
            raise SystemExit("A part was read, or something is left behind.")


if __name__ == "__main__":
    main(int([*sys.argv, "100"][1]), sys.argv[2:])
