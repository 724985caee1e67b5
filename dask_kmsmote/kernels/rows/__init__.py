"""Rows: blocks of features and of labels.

- `blocks`: a block is a numpy array or a csr or csc matrix; `take`, `stack` and `as_dense` are most
  of what the other rooms ask of it.
- `columns`: what the type of a column says of its values. `schema`: which columns are features, and
  of which kind; judged before a row is read.
- `table`: a chunk read by its schema. `categories`: those of all chunks. `encoding`: their codes,
  and chunks as rows of numbers and codes.
- `metric`: what distances are measured in; rows as points, whose codes are compared, or as
  coordinates for what knows numbers alone.
- `labels`: labels as numbers, matched as Python compares them: 1, 1.0 and True are one.
- `fingerprint`: 64 bits of a block, by which a later read is known to be the same.
- `census`: what is noted of one block in the first pass, and how notes combine.

Labels by which rows are counted are Python values; `code` numbers a block's by their appearance,
`encode` by the order of the classes. Rows are named by their position in X.
"""
