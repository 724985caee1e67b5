"""Tables that tests share."""

from __future__ import annotations

import pytest
from deltalake import DeltaTable, write_deltalake

from lakehouse import done, table


@pytest.fixture
def versions(tmp_path):
    """A table of five versions: written, appended to, deleted from, updated, replaced."""
    folder = tmp_path / "source"
    write_deltalake(folder, table())
    write_deltalake(folder, table(100, seed=1), mode="append")
    DeltaTable(folder).delete("id % 7 = 0")
    DeltaTable(folder).update({"a": "a + 100"}, predicate="id % 5 = 1")
    write_deltalake(folder, table(150, seed=2), mode="overwrite")
    return folder


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    write_deltalake(folder, table())
    return folder


@pytest.fixture
def destination(tmp_path, source):
    """A Delta table that holds a result, with an id that is taken along."""
    folder = tmp_path / "out"
    done(source, folder, "--keep", "id", "--destination-format", "delta")
    return folder
