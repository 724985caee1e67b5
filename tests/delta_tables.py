"""Delta tables as other writers make them: with deleted rows, renamed and later columns."""

from __future__ import annotations

import json
import struct

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, QueryBuilder

# of ZeroMQ's base 85, in which the log has small deletion vectors
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"


def rows_of(place, version=None):
    """The rows of a version, as delta-rs reads them."""
    found = QueryBuilder().register("t", DeltaTable(str(place), version=version))
    return pa.table(found.execute("select * from t").read_all())


def deletion_vector(rows):
    """The entry of the log that deletes rows of a file, by their numbers."""
    values = struct.pack(f"<{len(rows)}H", *rows)
    # one bitmap of one array, without a run
    bitmap = struct.pack("<II2HI", 12346, 1, 0, len(rows) - 1, 16) + values
    content = struct.pack("<iqI", 1681511377, 1, 0) + bitmap
    size = len(content)
    content += bytes(-size % 4)
    return {
        "storageType": "i",
        "pathOrInlineDv": "".join(map(_word, struct.unpack(f">{len(content) // 4}I", content))),
        "sizeInBytes": size,
        "cardinality": len(rows),
    }


def _word(number):
    return "".join(_DIGITS[number // 85**place % 85] for place in range(4, -1, -1))


def write_version(place, number, *actions):
    """Write a file of the log by hand."""
    (place / "_delta_log").mkdir(parents=True, exist_ok=True)
    path = place / "_delta_log" / f"{number:020d}.json"
    path.write_text("".join(json.dumps(action) + "\n" for action in actions))


def protocol(*features):
    """The action that asks readers for features."""
    names = {"readerFeatures": features, "writerFeatures": features} if features else {}
    versions = {"minReaderVersion": 3, "minWriterVersion": 7} if features else {}
    return {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2} | versions | names}


def metadata(fields, partition_by=(), **configuration):
    """The action that tells the columns: name, type, and name in the files, for those renamed."""
    told = [
        {"name": name, "type": own, "nullable": True, "metadata": _mapped(number, *stored)}
        for number, (name, own, *stored) in enumerate(fields, 1)
    ]
    return {
        "metaData": {
            "id": "a-table",
            "format": {"provider": "parquet", "options": {}},
            "schemaString": json.dumps({"type": "struct", "fields": told}),
            "partitionColumns": list(partition_by),
            "configuration": configuration,
            "createdTime": 0,
        }
    }


def _mapped(number, stored=None):
    if stored is None:
        return {}
    return {"delta.columnMapping.id": number, "delta.columnMapping.physicalName": stored}


def add(place, name, table, partition=None, deleted=(), row_group_size=None):
    """Write a file, and the action that adds it."""
    (place / name).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, place / name, row_group_size=row_group_size)
    vector = {"deletionVector": deletion_vector(deleted)} if deleted else {}
    size = (place / name).stat().st_size
    stats = json.dumps({"numRecords": table.num_rows})
    values = {"path": name.replace("%", "%25"), "partitionValues": partition or {}, "stats": stats}
    return {"add": values | {"size": size, "modificationTime": 0, "dataChange": True} | vector}


def files_of(place):
    """Files of a table but for its log, hidden ones among them."""
    return sorted(
        str(path.relative_to(place))
        for path in place.rglob("*")
        if path.is_file() and "_delta_log" not in path.parts
    )
