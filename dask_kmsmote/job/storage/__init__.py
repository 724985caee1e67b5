"""Storage: tables on local disks and object stores, written whole or not at all.

- `location`: a path or URL, and what its file system says. Secrets in it are shown nowhere:
  `masking`.
- `source`: which files there are, in which format, and a fingerprint of them.
- `schema`: Arrow types that hold all values of several files, and the pandas types of these.
- `table`: what a table in files is, whatever their format: its columns first, then a Dask frame.
- `parquet`, `text`: such files. Parquet says its types; of text all rows are seen, and `text_types`
  judges them.
- `writing`: a Dask frame as Parquet. `folders`: what folders such as ``day=2026-01-01`` say, and
  which values can be said so; `splitting`: an Arrow table by such folders, whoever writes them.
- `arrays`: Zarr groups as Dask arrays, and back.
- `delta`: a version of a Delta table as such a table, and a destination that is committed to one.
- `destination`: one of `drafts`, published when it is whole. On a local disk under a lock, by an
  exchange of folders; on a store by a record that commits it (`commit`), and copies.
- `s3`: a client of S3 that asks again where the store fails, and for how long.
- `manifest`: a text in a finished destination, which says what is there and why.

A destination without a manifest is not finished. What a manifest says is checked by type before it
is used, and its paths can't lead out of its place.
"""
