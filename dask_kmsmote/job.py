"""A job: a table in, the resampled table out, and what was done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from . import cluster, storage
from .errors import InputError
from .events import Event, stage
from .planning.plan import SamplingPlan


@dataclass(frozen=True)
class Job:
    """What to do.

    Attributes
    ----------
    source, destination
        Paths of Parquet tables.
    target
        Column that holds the classes.
    parameters
        Of `KMeansSMOTE`.
    scheduler
        Address of a Dask scheduler; None starts a local cluster.
    workers, threads_per_worker, memory_limit
        Of the local cluster; None workers means one for each core.
    """

    source: str
    destination: str
    target: str
    parameters: dict[str, Any] = field(default_factory=dict)
    scheduler: str | None = None
    workers: int | None = None
    threads_per_worker: int = 1
    memory_limit: str = "auto"


@dataclass(frozen=True)
class Outcome:
    """What was done: the plan, the bytes that were written, and the seconds it took."""

    plan: SamplingPlan
    n_bytes: int
    seconds: float


def run(job: Job, callback: Callable[[Event], None]) -> Outcome:
    """Resample the source to the destination, which appears whole or not at all.

    Raises
    ------
    DestinationError
        The destination exists already, or what was written is not whole.
    InputError, ParameterError, NoClusterError, ClusterError
        As the messages say; the destination is absent.
    """
    from .sampler import KMeansSMOTE

    start = perf_counter()
    storage.require_absent(job.destination)
    table = storage.read_table(job.source)
    if job.target not in table.columns:
        raise InputError(
            f"The source has no column {job.target!r}: it has {list(table.columns)}. "
            "Name one of them with --target."
        )
    features = [column for column in table.columns if column != job.target]
    with (
        cluster.connect(job.scheduler, job.workers, job.threads_per_worker, job.memory_limit),
        storage.whole_or_absent(job.destination) as folder,
    ):
        sampler = KMeansSMOTE(**job.parameters, callbacks=[callback])
        X, y = sampler.fit_resample(table[features], table[job.target])
        result = X.map_partitions(
            joined, y, job.target, list(table.columns), meta=table._meta, align_dataframes=False
        )
        plan = sampler.plan_
        with stage("write", [callback]):
            n_bytes = storage.write_table(result, folder, plan.n_rows + plan.n_synthetic)
    return Outcome(plan, n_bytes, perf_counter() - start)


def joined(X: Any, y: Any, target: str, columns: list[str]) -> Any:
    """A partition of features and one of labels as one, in the order of the columns."""
    return X.assign(**{target: y})[columns]
