"""Arithmetic on one block in memory: numpy, numba and scikit-learn, no Dask."""
