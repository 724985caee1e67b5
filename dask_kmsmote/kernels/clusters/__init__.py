"""Clusters: centres, and the cluster of each row.

- `learning`: from rows that fit in one task. KMeans starts from several short runs on a small
  sample, the best of them refined on it and on a larger one; other clusterers are fitted once.
- `starts`, `passes`: rows that a run starts from, and Lloyd's passes, whose sums are exact.
- `nearest`: the nearest centre of each row.
- `assignment`: what labels rows: their nearest centres, or a clusterer's own `predict`.

The assignment is our own: the usual matrix product gives a row other last bits at another place of
its block, so that a row between two centres could change its cluster with the chunks. What labels
rows is a `Labeler`, chosen in `graph.clustering.learn`; a fit's own labels may stand for one.
"""
