"""A table whose columns can name folders, jobs on it, and what other readers find in a result."""

from __future__ import annotations

import dask.dataframe as dd
import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
from click.testing import CliRunner

from conftest import make_imbalanced
from dask_kmsmote.cli import cli

N = 120


def table(**columns):
    """Rows with an id, two features and a label, and columns of a value for each or in turn."""
    X, y = make_imbalanced(N, 2, 0.2, seed=3)
    first = {"id": np.arange(N), "x0": X[:, 0], "x1": X[:, 1], "label": y}
    return pa.table(first | {name: in_turn(own) for name, own in columns.items()})


def in_turn(values):
    return values.take(pa.array(np.arange(N) % len(values)))


def run(source, out, *options, target="label"):
    fixed = ["--target", target, "--seed", "0", "--threshold", "0"]
    command = ["resample", source, out, *fixed, *options]
    return CliRunner().invoke(cli, [str(word) for word in command])


def resample(source, out, *options, **asked):
    done = run(source, out, *options, **asked)
    assert done.exit_code == 0, done.output
    return done


def texts_of(column):
    """Values as a folder says them."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return column.cast(pa.string()).to_pylist()


def rows_of(found, names):
    """Rows in an order of their own, by text where folders named the values."""
    columns = {
        name: texts_of(found[name]) if name in names else found[name].to_pylist()
        for name in sorted(found.column_names)
    }
    return sorted(zip(*columns.values(), strict=True), key=repr)


def of_folders(names):
    """Partitions of text, as readers guess types: "01" would be a number."""
    return ds.partitioning(pa.schema([(name, pa.string()) for name in names]), flavor="hive")


def by_pyarrow(folder, names):
    return ds.dataset(folder, partitioning=of_folders(names)).to_table()


def by_pandas(folder, names):
    return pa.Table.from_pandas(pd.read_parquet(folder, partitioning=of_folders(names)))


def by_dask(folder, names):
    schema = pa.schema([(name, pa.string()) for name in names])
    how = {"partitioning": {"flavor": "hive", "schema": schema}}
    found = dd.read_parquet(folder, dataset=how).compute()
    return pa.Table.from_pandas(found, preserve_index=False)


def by_polars(folder, names):
    schema = dict.fromkeys(names, pl.String)
    return pl.scan_parquet(folder, hive_schema=schema, hive_partitioning=True).collect().to_arrow()


def by_duckdb(folder, names):
    schema = ", ".join(f"'{name}': VARCHAR" for name in names)
    found = duckdb.sql(
        f"FROM read_parquet('{folder}/**/*.parquet', hive_partitioning=true, "
        f"hive_types={{{schema}}})"
    )
    return found.to_arrow_table()


READERS = {
    "pyarrow": by_pyarrow,
    "pandas": by_pandas,
    "dask": by_dask,
    "polars": by_polars,
    "duckdb": by_duckdb,
}

# as folders are, without a word on them
PLAINLY = {
    "pyarrow": lambda folder: ds.dataset(folder, partitioning="hive").to_table().to_pandas(),
    "pandas": pd.read_parquet,
    "dask": lambda folder: dd.read_parquet(folder).compute(),
    "polars": lambda folder: pl.scan_parquet(folder).collect().to_pandas(),
    "duckdb": lambda folder: duckdb.sql(f"FROM '{folder}/**/*.parquet'").df(),
}
