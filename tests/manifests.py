"""Manifests as others may leave them, with any text."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq


def put_manifest(path, text):
    """Write bytes where a manifest is looked for: a file of JSON, or the footer of a part."""
    if path.suffix == ".json":
        path.write_bytes(text)
        return
    with pq.ParquetWriter(path, pa.schema([])) as file:
        file.add_key_value_metadata({"kmsmote": text})
