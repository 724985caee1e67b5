"""Clustering: the second box of the picture, and what a `kmeans_estimator` means to it.

- `clusterer`: the parameter resolved, before any work: dask-ml's KMeans (also for None and a
  number), which passes over all rows; another clusterer, which is fitted once on bounded rows; or a
  frozen one.
- `learn`: one of the three, from the rows that the census brought.
- `lloyd`: dask-ml's passes, on blocks that do not depend on the chunks.

The centres are the same for any chunking, scheduler and number of workers: samples are chosen by
the positions of rows, the blocks of a pass follow from the shape of X, and all that is random is
keyed by the seed.
"""
