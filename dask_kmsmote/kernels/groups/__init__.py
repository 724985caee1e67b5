"""Groups: the rows of one class in one cluster, in the order of the data.

- `pieces`: what the survey keeps of a chunk: wanted rows, sorted by group. Pieces of neighbouring
  chunks merge, and groups are sliced out of them.
- `picking`: rows of a group by their numbers, from the blocks that hold them; and the mean distance
  of sampled pairs.

The numbers of a group's rows are 0 ... m - 1 in the order of the data, whatever the chunks were: a
sort by group is stable, and parts are merged in their order. So the number of a row, and with it
every random draw, is the same for any chunking. Positions in X travel along, for the provenance.
"""
