"""Resample the flights of a day with dask-kmsmote, every night: a flow of one task.

    python flow.py

serves it. Needs Prefect 3.1.
"""

# a script; Prefect reads annotations as they are, not as text
# ruff: noqa: INP001, S603
import json
from datetime import date
from subprocess import PIPE, Popen
from tempfile import TemporaryFile
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_table_artifact
from prefect.runtime import flow_run

# from an environment of its own: its packages and Prefect's do not meet
COMMAND = "\
/opt/dask-kmsmote/bin/dask-kmsmote resample \
s3://data/flights/{day}.parquet s3://data/flights-balanced/{day}.parquet \
--target cancelled --keep time_hour --missing keep --seed 0 --overwrite \
--workers 4 --memory-limit 3GiB --strict --json \
--metrics /var/lib/prometheus/node-exporter/dask_kmsmote.prom"
# a second try would end alike: defect, usage, input, no cluster or an unsound plan
FINAL = [1, 2, 3, 4]
TOLD = ("run", "destination", "rows", "synthetic_rows", "bytes", "seconds", "warnings")


class JobError(RuntimeError):
    """A job that did not end with 0."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(f"dask-kmsmote ended with {exit_code}: see the log.")
        self.exit_code = exit_code


def may_pass(_: Any, __: Any, state: Any) -> bool:
    """Whether a second try may end otherwise."""
    error = state.result(raise_on_failure=False)
    return getattr(error, "exit_code", None) not in FINAL


@task(retries=2, retry_delay_seconds=600, retry_condition_fn=may_pass, timeout_seconds=14400)
def resample(day: date) -> dict[str, Any]:
    """Run the job, its log in that of the task."""
    log, command = get_run_logger(), COMMAND.format(day=day).split()
    with TemporaryFile("w+") as out, Popen(command, stdout=out, stderr=PIPE, text=True) as job:
        try:
            for line in job.stderr:
                log.info("%s", line.rstrip())
            exit_code = job.wait()
        finally:
            # of a run that is cancelled or out of time; a job that has ended gets none
            job.terminate()
        if exit_code:
            raise JobError(exit_code)
        out.seek(0)
        found = json.load(out)
    return {name: found[name] for name in TOLD}


@flow
def resample_flights(day: date | None = None) -> dict[str, Any]:
    """Resample the flights of a day: by default of that which the run was due on."""
    summary = resample(day or flow_run.scheduled_start_time.date())
    create_table_artifact([summary], key="resample-flights")
    return summary


if __name__ == "__main__":
    resample_flights.serve(cron="30 2 * * *", global_limit=1)
