"""Dask graphs of the stages: they wire kernels together and do no arithmetic."""
