"""Rows: blocks of features and of labels.

- `blocks`: a block is a numpy array or a csr or csc matrix; `take`, `stack` and `as_dense` are most
  of what the other rooms ask of it.
- `columns`: which columns of a frame are features, and in which dtype they are computed.
- `metric`: what distances are measured in, and rows in it.
- `labels`: labels as numbers, matched as Python compares them: 1, 1.0 and True are one.
- `fingerprint`: 64 bits of a block, by which a later read is known to be the same.
- `census`: what is noted of one block in the first pass, and how notes combine.

Labels by which rows are counted are Python values; `code` numbers a block's by their appearance,
`encode` by the order of the classes. Rows are named by their position in X.
"""
