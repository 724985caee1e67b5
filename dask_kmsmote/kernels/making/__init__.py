"""Making: parents drawn, and rows made of them.

- `drawing`: base row, neighbour and gap of each new row, from the stream of its output block.
- `interpolation`: the new rows, in the dtype and format of the given ones.
- `partitions`: rows, labels and parents as partitions of a result.

A recipe names one function that makes the streams, one that interpolates, and one that makes the
integer columns of a frame whole. The package's own
stand beside imbalanced-learn's, whose arithmetic differs in three ways: its stream is one for a
whole group and starts anew in each, differences are taken in the dtype of the rows, and integers
are truncated.
"""
