"""Resample on workers that are Slurm jobs of their own, started and ended by this script.

    python jobqueue.py SOURCE DESTINATION --target COLUMN [OPTIONS]

All arguments go to `dask-kmsmote resample`. Needs dask-jobqueue. Run it where it can talk to the
nodes: on a login node, or itself as a small Slurm job. SLURM_QUEUE, SLURM_INTERFACE and
SLURM_WORKERS choose the queue, the network interface and the number of jobs.
"""

# a script
# ruff: noqa: INP001
from __future__ import annotations

import os
import sys

from dask_jobqueue import SLURMCluster

from dask_kmsmote.cli import cli

if __name__ == "__main__":
    with SLURMCluster(
        queue=os.environ.get("SLURM_QUEUE"),
        interface=os.environ.get("SLURM_INTERFACE"),
        cores=1,
        processes=1,
        memory="1500MB",
        walltime="04:00:00",
        # a free port: two of these on one login node would fight for the usual one
        scheduler_options={"dashboard_address": ":0"},
    ) as cluster:
        # unlike scale(), this replaces a worker whose job was cancelled
        n_workers = int(os.environ.get("SLURM_WORKERS", "2"))
        cluster.adapt(minimum_jobs=n_workers, maximum_jobs=n_workers)
        cluster.wait_for_workers(1, timeout=600)
        # sys.exit happens inside: the cluster is closed with any exit code
        cli(["resample", *sys.argv[1:], "--scheduler", cluster.scheduler_address])
