"""Delimited text (CSV) as one table, whose types are those of all rows.

Text says no types, and its first rows may mislead: 15 whole numbers, and then decimals; a blank
that makes floats of ids. So all rows are seen once before they are used, in parts, on the cluster.

- `files`: the table: its header, its types, and a Dask frame of it.
- `spans`: parts of a file that begin and end with a row, and the values in them.
- `quotes`: whether a line's end lies within a quoted value, and so ends no row.
- `types`: what the values of a column say of its type, and the values in that type.

What a span says of types and of quotes is small, and is put together in the client.
"""
