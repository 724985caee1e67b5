"""A job: a table in, the resampled table out, and a manifest of what was done.

- `run`: the job. It opens the source, connects to a cluster, has a sampler make the synthetic rows,
  writes originals and synthetic rows to a draft of the destination, and publishes it.
- `opening`: what is known before the work: the files of a source, its columns, a sampler.
- `destinations`: where it writes: Parquet, Zarr or a Delta table, and what that may not be.
- `columns`: what is done with each column: feature, target, kept along, left out.
- `cluster`: a client of a scheduler that runs, or of local processes for as long as the job lasts.
- `storage`: tables on disks and object stores.

The originals are written in types that hold all their values, kept columns among them; the
synthetic rows come from the engine alone, and are null where a column is only kept. The source is
compared with what it was at the start before anything is published. Nothing here is imported by
the sampler: a library needs no job.
"""
