"""What a manifest says of a job: the source, what was asked for, the plan, and what was written."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from ..planning.plan import SamplingPlan
from .columns import Columns
from .storage.folders import type_texts
from .storage.schema import schema_of_result
from .storage.source import Source
from .storage.table import Table

if TYPE_CHECKING:
    from .run import Job

_PACKAGES = (
    "dask-kmsmote",
    "dask",
    "distributed",
    "dask-ml",
    "numpy",
    "pandas",
    "pyarrow",
    "scikit-learn",
)


def record_of(
    job: Job,
    source: Source,
    columns: Columns,
    plan: SamplingPlan,
    files: list[dict[str, Any]],
    table: Table | None,
) -> dict[str, Any]:
    """The manifest of a job, but for its times."""
    amounts = dict(plan.amounts)
    written = 0 if columns.only_synthetic and not job.joins_source else 1  # of the originals
    return {
        **asked_of(job, source, columns),
        "destination": job.destination.shown if job.destination else None,
        "folder_types": {}
        if table is None
        else type_texts(schema_of_result(table.schema, columns), columns.partition_by),
        "seed": plan.seed,
        "classes": {
            str(label): {"before": count, "after": written * count + amounts.get(label, 0)}
            for label, count in plan.class_counts
        },
        "rows": plan.n_rows,
        "synthetic_rows": plan.n_synthetic,
        "bytes": sum(file["bytes"] for file in files),
        "files": files,
        "versions": {"python": platform.python_version(), **{p: version(p) for p in _PACKAGES}},
        "plan": json.loads(plan.to_json()),
        "plan_text": plan.to_text(warnings=False),
        "warnings": [*plan.warnings, *source.warnings],
    }


def asked_of(job: Job, source: Source, columns: Columns) -> dict[str, Any]:
    """The part of a manifest that is known before: equal for jobs that do the same."""
    return {
        "source": source_of(job, source),
        "columns": asdict(columns),
        "parameters": {
            name: value if isinstance(value, str | int | float | None) else str(value)
            for name, value in job.parameters.items()
        },
        "options": {
            "layout": job.layout,
            "mode": job.mode,
            "partition_bytes": job.partition_bytes,
            "strict": job.strict,
            "text": asdict(job.text),
        },
    }


def source_of(job: Job, source: Source) -> dict[str, Any]:
    """What a manifest says of a source: which version it was, and what changes with its files."""
    return {
        "url": job.source.shown,
        "format": source.format,
        "version": source.version,
        "files": len(source.files),
        "bytes": source.n_bytes,
        "fingerprint": source.fingerprint,
    }
