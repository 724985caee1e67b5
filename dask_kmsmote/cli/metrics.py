"""Metrics of the last run as a Prometheus textfile, as node_exporter's textfile collector reads."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import NamedTemporaryFile
from time import time
from typing import Any

PREFIX = "dask_kmsmote_"
HELP = {
    "last_run_success": "Whether the last run succeeded.",
    "last_run_exit_code": "Exit code of the last run.",
    "last_run_timestamp_seconds": "When the last run ended.",
    "last_run_duration_seconds": "How long the last run took.",
    "last_success_timestamp_seconds": "When a run last succeeded.",
    "rows": "Rows of the result, by origin.",
    "bytes_written": "Bytes of the result.",
}
SUCCESS = f"{PREFIX}last_success_timestamp_seconds"


def write_metrics(
    path: str, destination: str, exit_code: int, seconds: float, manifest: dict[str, Any] | None
) -> None:
    """Replace the file in one step; the time of the last success outlives a failure."""
    label = destination.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
    now = time()
    lines = [
        *_gauge("last_run_success", label, int(exit_code == 0)),
        *_gauge("last_run_exit_code", label, exit_code),
        *_gauge("last_run_timestamp_seconds", label, round(now, 3)),
        *_gauge("last_run_duration_seconds", label, round(seconds, 3)),
    ]
    success = now if exit_code == 0 else _last_success(Path(path))
    if success is not None:
        lines += _gauge("last_success_timestamp_seconds", label, round(success, 3))
    if manifest is not None:
        lines += _head("rows")
        for kind, key in (("source", "rows"), ("synthetic", "synthetic_rows")):
            lines.append(f'{PREFIX}rows{{destination="{label}",kind="{kind}"}} {manifest[key]}')
        lines += _gauge("bytes_written", label, manifest["bytes"])
    _replace(Path(path), "\n".join(lines) + "\n")


def _head(name: str) -> list[str]:
    return [f"# HELP {PREFIX}{name} {HELP[name]}", f"# TYPE {PREFIX}{name} gauge"]


def _gauge(name: str, label: str, value: float) -> list[str]:
    return [*_head(name), f'{PREFIX}{name}{{destination="{label}"}} {value}']


def _last_success(path: Path) -> float | None:
    if not path.exists():
        return None
    text = path.read_text(errors="replace")
    found = re.search(rf"^{SUCCESS}\{{.*\}} (\d+(?:\.\d+)?)$", text, re.MULTILINE)
    return float(found.group(1)) if found else None


def _replace(path: Path, text: str) -> None:
    # another ending, so that a collector of *.prom does not read it half written
    with NamedTemporaryFile("w", dir=path.parent, suffix=".tmp", delete=False) as file:
        written = Path(file.name)
    try:
        written.write_text(text)
        written.chmod(0o644)
        written.replace(path)
    except OSError:
        written.unlink()
        raise
