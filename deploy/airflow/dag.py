"""Resample the flights of a day with dask-kmsmote, every night: a DAG of one task.

Copy it to the folder of DAGs. Needs Airflow 3.2.
"""

# a script
# ruff: noqa: INP001
from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

# from an environment of its own: its packages and Airflow's do not meet
COMMAND = "\
/opt/dask-kmsmote/bin/dask-kmsmote resample \
s3://data/flights/{{ds}}.parquet s3://data/flights-balanced/{{ds}}.parquet \
--target cancelled --keep time_hour --missing keep --seed 0 --overwrite \
--workers 4 --memory-limit 3GiB --strict --json \
--metrics /var/lib/prometheus/node-exporter/dask_kmsmote.prom"
# a second try would end alike: defect, usage, input, no cluster or an unsound plan
FINAL = [1, 2, 3, 4]
TOLD = ("run", "destination", "rows", "synthetic_rows", "bytes", "seconds", "warnings")


class Resample(BashOperator):
    """A command whose `skip_on_exit_code` fails the task at once, and skips none."""

    def execute(self, context: Any) -> Any:
        """Run it; what is returned goes to XCom."""
        try:
            return super().execute(context)
        except AirflowSkipException as error:
            raise AirflowFailException("A second try would end alike: see the log.") from error


def summary(last_line: str) -> dict[str, Any]:
    """What later tasks may want of the document that `--json` prints after the log."""
    found = json.loads(last_line)
    return {name: found[name] for name in TOLD}


with DAG(
    "resample_flights",
    schedule="30 2 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
):
    Resample(
        task_id="resample",
        bash_command=COMMAND,
        skip_on_exit_code=FINAL,
        output_processor=summary,
        retries=2,
        retry_delay=timedelta(seconds=600),
        execution_timeout=timedelta(seconds=14400),
    )
