"""Clustering: the second box of the picture, and what a `kmeans_estimator` means to it.

- `clusterer`: the parameter resolved, before any work: dask-ml's KMeans, which passes over all rows
  or over `learning_rows` of them; another clusterer, which is fitted once on bounded rows; or a
  frozen one. For None and a number, the recipe makes one.
- `learn`: one of the three, from the rows that the census brought or from all.
- `lloyd`: the passes, a task for each chunk, whose sums do not depend on the chunks.

The centres are the same for any chunking, scheduler and number of workers: samples are chosen by
the positions of rows, the sums of a pass are exact in any order, and all that is random is
keyed by the seed (of a clusterer that the user gave, if it has one, by its own).
"""
