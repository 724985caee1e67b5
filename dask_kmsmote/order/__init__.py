"""Order: where a result has its rows.

- `orders`: the two orders as objects, `Append` and `Interleave`. The result, the provenance, the
  job, `validate` and the plots all ask the one object that the sampler made, its `order_`.
- `places`: the arithmetic of interleaving: integers and fractions.
- `mixing`: the rows of one partition, put together in a task.

Rows have numbers: 0 ... n - 1 are the originals by their position in X, the synthetic rows follow
by class and cluster. An order maps numbers to positions in the result and back, and says of what
each partition is made, with no table of all rows: the same for any chunks. Another order is a
subclass of `Order`, an entry of `ORDERS`, and a name in `sampler` and `cli.options`; if it sorts
rows otherwise than by place, `mixing` needs to know.
"""
