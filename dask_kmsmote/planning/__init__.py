"""Decisions on small tables: pure functions, no Dask, no data."""
