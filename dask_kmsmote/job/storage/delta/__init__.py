"""Delta tables: files, and a log that says which of them, and which of their rows, are a version.

- `log`: opens one version of a table by `deltalake`: its columns, its files, the rows of these that
  are deleted. What it says is pinned: nothing is asked of the log later.
- `types`: the types that Delta has, and those that a column is written in.
- `files`: the files of a version as one table. They are Parquet, read as such, in the types and by
  the names that the log says.
- `runs`: what runs have committed to a table before, as its log tells.
- `draft`: a destination. Workers write files that no version names, and one commit, which a store
  takes once, makes them visible.

`deltalake` is used here alone, by the client: workers read and write Parquet.
"""
