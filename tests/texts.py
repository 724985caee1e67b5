"""Tables in text, as tests write and read them."""

from __future__ import annotations

import dask

from dask_kmsmote.job.storage.location import Location
from dask_kmsmote.job.storage.source import open_source
from dask_kmsmote.job.storage.text.files import open_text
from dask_kmsmote.job.storage.text.spans import TextFormat


def read(place, columns=None, as_text=(), judged=(), n_bytes=2**20, **form):
    """The table that a job reads, and its Arrow schema."""
    source = open_source(Location(str(place)), "csv")
    files = open_text(source, TextFormat(**form), n_bytes, lambda _: None)
    with dask.config.set(scheduler="synchronous"):
        table = files.typed(columns or files.names, as_text, judged)
        return table.frame.compute().reset_index(drop=True), table.schema


def written(rows):
    """Rows as text; values are in quotes only where they must be."""

    def quoted(value):
        must = value.startswith('"') or any(sign in value for sign in ",\r\n") or not value
        return '"' + value.replace('"', '""') + '"' if must else value

    return "".join(",".join(map(quoted, row)) + "\n" for row in rows)
