"""Metrics of the last run as a Prometheus textfile, as node_exporter's textfile collector reads."""

from __future__ import annotations

from pathlib import Path
from time import time
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile
from prometheus_client.parser import text_string_to_metric_families

_PREFIX = "dask_kmsmote_"
_SUCCESS = "last_success_timestamp_seconds"


def write_metrics(
    path: str, destination: str, exit_code: int, seconds: float, manifest: dict[str, Any] | None
) -> None:
    """Replace the file in one step; the time of the last success outlives a failure."""
    registry, now = CollectorRegistry(), time()

    def gauge(name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"{_PREFIX}{name}", text, ["destination", *labels], registry=registry)

    def note(name: str, text: str, value: float) -> None:
        gauge(name, text).labels(destination).set(value)

    note("last_run_success", "Whether the last run succeeded.", int(exit_code == 0))
    note("last_run_exit_code", "Exit code of the last run.", exit_code)
    note("last_run_timestamp_seconds", "When the last run ended.", round(now, 3))
    note("last_run_duration_seconds", "How long the last run took.", round(seconds, 3))
    success = now if exit_code == 0 else _last_success(Path(path), destination)
    if success is not None:
        note(_SUCCESS, "When a run last succeeded.", round(success, 3))
    # a failed run has no such series, rather than those of the run before
    if manifest is not None:
        rows = gauge("rows", "Rows of the result, by origin.", "kind")
        rows.labels(destination, "source").set(manifest["rows"])
        rows.labels(destination, "synthetic").set(manifest["synthetic_rows"])
        note("plan_warnings", "Warnings of the plan.", len(manifest["warnings"]))
        note("bytes_written", "Bytes of the result.", manifest["bytes"])
    write_to_textfile(path, registry)
    # the collector is another user, whatever the umask of the job
    Path(path).chmod(0o644)


def _last_success(path: Path, destination: str) -> float | None:
    if not path.exists():
        return None
    # line by line: what others wrote there, or half of it, does not matter
    for line in path.read_text(errors="replace").splitlines():
        if line.startswith(f"{_PREFIX}{_SUCCESS}"):
            try:
                (family,) = text_string_to_metric_families(line)
            except ValueError:
                continue
            if family.samples[0].labels.get("destination") == destination:
                return float(family.samples[0].value)
    return None
