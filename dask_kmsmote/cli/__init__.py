"""The command line: ``dask-kmsmote resample SOURCE DESTINATION --target COLUMN``.

- `commands`: `resample` and `plan` make a `Job` of their options, and have it done; `report` reads
  what a run left.
- `options`: what may be said, by a flag, in the environment (``DASK_KMSMOTE__…``) or in a file.
- `values`: the kinds of values that they take.
- `config`: such files, in TOML.
- `log`: what is told on stderr meanwhile, as text or JSON.
- `failures`: how an error ends a job: one line that says what mends it, and an exit code.
- `stop`: signals that end a job as Ctrl-C does.
- `metrics`: a Prometheus textfile of the last run, also of a failed one.

Nothing that is slow to import is imported before it is used: ``--help``, a usage error and most
refusals need neither pandas nor scikit-learn. A stream that nobody reads changes no exit code.
"""

from __future__ import annotations

from .commands import cli

__all__ = ["cli"]
