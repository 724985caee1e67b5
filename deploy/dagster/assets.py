"""Resample the flights of a day with dask-kmsmote, every night: an asset with a partition a day.

    dagster dev -f assets.py

Needs Dagster 1.10.
"""

# a script; Dagster reads annotations as they are, not as text
# ruff: noqa: INP001, S603
import json
from subprocess import PIPE, Popen

from dagster import (
    AssetExecutionContext,
    DailyPartitionsDefinition,
    Definitions,
    Failure,
    MaterializeResult,
    RetryPolicy,
    asset,
    build_schedule_from_partitioned_job,
    define_asset_job,
)

# from an environment of its own: its packages and Dagster's do not meet
COMMAND = "\
/opt/dask-kmsmote/bin/dask-kmsmote resample \
s3://data/flights/{day}.parquet s3://data/flights-balanced/{day}.parquet \
--target cancelled --keep time_hour --missing keep --seed 0 --overwrite \
--workers 4 --memory-limit 3GiB --strict --json \
--metrics /var/lib/prometheus/node-exporter/dask_kmsmote.prom"
# a second try would end alike: defect, usage, input, no cluster or an unsound plan
FINAL = [1, 2, 3, 4]
TOLD = ("run", "destination", "rows", "synthetic_rows", "bytes", "seconds", "warnings")


@asset(
    partitions_def=DailyPartitionsDefinition("2026-01-01"),
    pool="dask_kmsmote",
    retry_policy=RetryPolicy(max_retries=2, delay=600),
)
def balanced_flights(context: AssetExecutionContext) -> MaterializeResult:
    """The flights of a day, with as many rows of cancelled ones as of others."""
    command = COMMAND.format(day=context.partition_key).split()
    # its log, on stderr, is that of the step
    with Popen(command, stdout=PIPE, text=True) as job:
        try:
            out, _ = job.communicate(timeout=14400)
        finally:
            # of a run that is terminated or out of time; a job that has ended gets none
            job.terminate()
    if job.returncode:
        raise Failure(
            f"dask-kmsmote ended with {job.returncode}: {out}",
            allow_retries=job.returncode not in FINAL,
        )
    found = json.loads(out)
    return MaterializeResult(metadata={name: found[name] for name in TOLD})


nightly = define_asset_job("resample_flights", [balanced_flights])
defs = Definitions(
    assets=[balanced_flights],
    jobs=[nightly],
    schedules=[build_schedule_from_partitioned_job(nightly, hour_of_day=2, minute_of_hour=30)],
)
