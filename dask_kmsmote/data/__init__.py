"""Data: X and y in, the result out; Dask collections and data in memory side by side.

An input holds two views of the same X and y: `chunks`, which the stages read, and what the result
is made of. Neither is changed by a run; what a run learns of the data (lengths, fingerprints,
classes) is in what the run leaves.

- `collections`: `DaskInput`. The stages read arrays under keys of the run's own; the result refers
  to the user's collections, so that their graphs can still be optimized.
- `kinds`: what can't be read is called what it is, before all else.
- `memory`: `MemoryInput`. Chunks that refer to the user's array (of a list or a frame, to one made
  of it), computed in this process. `polars`: frames and series of polars, read as pandas.
- `result`: what a result consists of (originals, synthetic rows, or both), in which order, and how
  a collection of the kind that came in is made of it; and the provenance.
- `unchanged`: originals are compared with what they were when they were planned.

To take another kind of data, write its input (`tasks`, `chunks`, `computing`, `resampled`), and
have `KMeansSMOTE._input` make it. What depends on the kind is also in `kernels.rows` (columns,
labels), `kernels.making.partitions`, `Interleave.arranged` and `inspection.sample`.
"""
