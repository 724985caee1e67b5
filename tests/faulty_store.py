"""Whole jobs on a store that fails, and what is left of them.

Time is a part of that of a user, as a run of hundreds could not wait. For a tenth, an answer is
delayed by 3 s where the client waits 1.5 s for it (30 and 15), and it gives up after 6 s (60). All
goes through `--storage-options`; what is waited between two attempts is as ever.
"""

from __future__ import annotations

import json
import math
import os
import random
import re
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from click.testing import CliRunner
from deltalake import DeltaTable

import object_store
import store_proxy
from alarm import time_limit
from dask_kmsmote.cli import cli
from dask_kmsmote.job.storage.commit import read_record
from dask_kmsmote.job.storage.delta.log import has_log, open_snapshot, options_of
from dask_kmsmote.job.storage.delta.runs import manifests
from dask_kmsmote.job.storage.location import Location
from dask_kmsmote.job.storage.manifest import read_manifest
from store_proxy import Fault

ROWS = 20_000
DELAY = 30.0  # seconds
LONGEST = 60  # seconds of a job that is not stuck
LENGTHS = "once", "burst", "lasting"
_MENDS = re.compile(r"(?i)run the job again|run it again|run them again|next run|job is run again")
_STAYS = re.compile("brings to its end|not known")


def times(pace):
    """Storage options of a client for which a minute lasts `pace` minutes."""
    waits = {"read_timeout": 15 * pace, "connect_timeout": 5 * pace}
    return {"give_up_after": 60 * pace, "config_kwargs": waits}


@dataclass(frozen=True)
class Destination:
    """A kind of destination.

    Attributes
    ----------
    arguments
        Of the command line.
    state
        What is at a place: "absent", "committed" where only the next run can make it whole, or the
        name of the run that made it; an AssertionError where it is anything else.
    left
        Names of what is left there, or beside it, of runs that have not finished.
    """

    arguments: tuple[str, ...]
    state: Callable[[str], str]
    left: Callable[[str], list[str]]


def state_of_parquet(out):
    location = Location(out)
    if read_record(location) is not None:
        return "committed"
    manifest = read_manifest(location)
    if manifest is None:
        names = list(location.files())
        assert not names, f"{names} without a manifest"
        return "absent"
    require_whole(pd.read_parquet(out, columns=["label"])["label"])
    return str(manifest["run"])


def require_whole(labels):
    counts = labels.value_counts().to_dict()
    assert counts == {0: ROWS * 9 // 10, 1: ROWS * 9 // 10}, counts


def left_of_parquet(out):
    """A draft lies beside its destination, a record in it."""
    parent, _, name = out.rpartition("/")
    own = re.compile(rf"_kmsmote-{name}-|{name}/.*kmsmote-")
    return [path for path in Location(parent).files() if own.match(path)]


def state_of_delta(out):
    location = Location(out)
    if not has_log(location):
        return "absent"
    _, text = next(manifests(open_snapshot(location)))
    table = DeltaTable(out, storage_options=options_of(location))
    require_whole(table.to_pyarrow_table(columns=["label"])["label"].to_pandas())
    return str(json.loads(text)["run"])


def left_of_delta(out):
    """Notes, and files that no version names."""
    location = Location(out)
    names = [name for name in location.files() if not name.startswith("_delta_log/")]
    found = manifests(open_snapshot(location)) if has_log(location) else ()
    runs = tuple(f"-{json.loads(text)['run']}.parquet" for _, text in found)
    return [name for name in names if not name.endswith(runs)]


DESTINATIONS = {
    "parquet": Destination((), state_of_parquet, left_of_parquet),
    "delta": Destination(("--destination-format", "delta"), state_of_delta, left_of_delta),
}


@dataclass(frozen=True)
class Case:
    """A fault in a job."""

    seed: int
    kind: str
    length: str
    workers: bool
    overwrite: bool
    destination: str = "parquet"


@dataclass(frozen=True)
class Outcome:
    """How a job with a fault ended.

    Attributes
    ----------
    struck
        How many requests.
    end
        "retried", "failed" and "lost", or "spared" where the job ended before the fault came.
    text
        What the job said, or why it is lost.
    """

    struck: int
    end: str
    seconds: float
    text: str = ""


def cases(n, first=0, destination="parquet", *, workers=True):
    """So many cases: each kind, once, in bursts and for good, in turns over all settings."""
    for seed in range(first, first + n):
        kind = store_proxy.KINDS[seed % len(store_proxy.KINDS)]
        in_turn = seed // len(store_proxy.KINDS)
        length = LENGTHS[in_turn % 3]
        drawn = random.Random(seed)  # noqa: S311 - no secret
        yield Case(
            seed, kind, length, workers and in_turn % 4 == 3, drawn.random() < 0.5, destination
        )


class Arena:
    """A store behind a proxy, with a table in it, and a cluster of two workers where asked."""

    def __init__(self, proxy, place, scheduler, pace):
        self.proxy, self.place, self.scheduler, self.pace = proxy, place, scheduler, pace
        self._usual: dict[Any, int] = {}

    def run(self, case, out, *, overwrite, pace=1):
        kind = DESTINATIONS[case.destination]
        command = ["resample", f"{self.place}/source", out, "--target", "label", "--seed", "0"]
        command += ["--clusters", "8", "--quiet"]
        command += ["--storage-options", json.dumps(times(pace))]
        command += [*kind.arguments, *(["--overwrite"] if overwrite else [])]
        command += ["--scheduler", self.scheduler] if case.workers else []
        with time_limit(LONGEST):
            return CliRunner().invoke(cli, command)

    def n_requests(self, case):
        """Of a job without a fault."""
        key = replace(case, seed=0, kind="", length="")
        if key not in self._usual:
            out = f"{self.place}/usual-{len(self._usual)}"
            for _ in range(2 if case.overwrite else 1):
                self.proxy.reset(None)
                done = self.run(case, out, overwrite=case.overwrite)
                assert done.exit_code == 0, done.output
            self._usual[key] = self.proxy.n_requests
        return self._usual[key]

    def inject(self, case):
        """Run a job with a fault, and look what is left."""
        drawn = random.Random(case.seed)  # noqa: S311 - no secret
        n_all, out = self.n_requests(case), f"{self.place}/out-{case.seed}"
        self.proxy.reset(None)
        if case.overwrite:
            assert self.run(case, out, overwrite=False).exit_code == 0
        state = DESTINATIONS[case.destination].state
        before = state(out)
        length = {"once": 1, "burst": drawn.randint(2, 8), "lasting": math.inf}[case.length]
        first, writes = drawn.randrange(n_all), drawn.random() < 0.5
        fault = Fault(case.kind, first, length, writes=writes, seconds=DELAY * self.pace)
        self.proxy.reset(fault)
        start = time.perf_counter()
        done = self.run(case, out, overwrite=case.overwrite, pace=self.pace)
        seconds, struck = time.perf_counter() - start, len(self.proxy.struck)
        fails_still = self.proxy.fails_still or case.length == "lasting"
        self.proxy.reset(None)
        try:
            end = self._judge(case, out, before, done, seconds, fails_still=fails_still)
        except AssertionError as error:
            return Outcome(struck, "lost", seconds, f"{error}; {done.stderr.strip()}")
        end = "spared" if not struck else end
        return Outcome(struck, end, seconds, done.stderr.strip())

    def _judge(self, case, out, before, done, seconds, *, fails_still):
        state, left = DESTINATIONS[case.destination].state, DESTINATIONS[case.destination].left
        assert seconds < LONGEST, f"stuck for {seconds:.0f} s"
        after = state(out)
        if done.exit_code == 0:
            assert after not in {"absent", "committed", before}, f"done, and {after}"
            # where the store fails after a commit, the note of the run stays for the next one
            if left(out):
                assert not any(name.endswith(".parquet") for name in left(out)), f"left {left(out)}"
                self._run_again(case, out, {before, after})
            return "retried"
        assert done.exit_code == 5, f"exit code {done.exit_code}: {done.exception!r}"
        assert len(done.stderr.strip().splitlines()) == 1, "several lines"
        assert _MENDS.search(done.stderr), "no line that says what to do"
        if after not in {before, "committed"}:
            assert _STAYS.search(done.stderr), f"{before} became {after}, untold"
        # a store that fails still can't be cleared, and what is whole stays: for the next run
        if not fails_still and not _STAYS.search(done.stderr):
            assert not left(out), f"left {left(out)}"
        self._run_again(case, out, {before, after})
        return "failed"

    def _run_again(self, case, out, seen):
        kind = DESTINATIONS[case.destination]
        again = self.run(case, out, overwrite=True)
        assert again.exit_code == 0, f"the rerun: {again.output}"
        assert kind.state(out) not in {"absent", "committed", *seen}, "the rerun did nothing"
        assert not kind.left(out), f"the rerun left {kind.left(out)}"


@contextmanager
def arena(address, *, workers, pace=0.1):
    """Jobs on the store at an address, whose keys are in the environment; see `times`."""
    from distributed import LocalCluster

    with store_proxy.between(address) as proxy:
        before = os.environ["AWS_ENDPOINT_URL"]
        _lead_to(proxy.address)
        try:
            place = _table()
            if workers:
                with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as own:
                    yield Arena(proxy, place, own.scheduler_address, pace)
            else:
                yield Arena(proxy, place, None, pace)
        finally:
            _lead_to(before)


def _lead_to(address):
    os.environ["AWS_ENDPOINT_URL"] = address
    object_store.forget_clients()


def _table():
    place = f"s3://faults-{random.getrandbits(40):010x}"
    rng = np.random.default_rng(0)
    label = rng.permutation(np.repeat([0, 1], [ROWS * 9 // 10, ROWS // 10]))
    frame = pd.DataFrame(rng.normal(size=(ROWS, 6)), columns=list("abcdef")).assign(label=label)
    Location(place).fs.mkdir(place)
    for part in range(4):
        rows = frame.iloc[part * ROWS // 4 : (part + 1) * ROWS // 4]
        rows.to_parquet(f"{place}/source/part-{part}.parquet")
    return place
