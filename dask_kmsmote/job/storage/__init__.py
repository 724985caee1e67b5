"""Storage: tables on local disks and object stores, written whole or not at all.

- `location`: a path or URL, and what its file system says. Secrets in it are shown nowhere:
  `masking`.
- `source`: which files there are, in which format, and a fingerprint of them.
- `schema`: whether the files agree, and the types that hold all of their values.
- `tables`: files as Dask collections, and back.
- `destination`: a draft that is published when it is whole. On a local disk by a rename, under a
  lock; on a store by copies within it, the file with the manifest last.
- `manifest`: a text in a finished destination, which says what is there and why.

A destination without a manifest is not finished. What a manifest says is checked by type before it
is used, and its paths can't lead out of its place.
"""
