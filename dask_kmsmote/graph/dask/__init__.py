"""All that is known of Dask's inside: task specifications, keys, layers, spans.

- `tasks`: makes named tasks without `dask.delayed`, and arrays of them in one layer. `Tasks` is one
  run's; its token is in every key, so that two runs never share one.
- `own_keys`: copies of the user's graphs under keys of a run's own.
- `watch`: spans of a distributed cluster, how far a stage has come, and that it moves.
    - `environments`: whether the cluster's processes can do the work, before it is given to them.
    - `stuck`: a cluster on which nothing moves, found out and given up; `reasons`: why, in words.
    - `questions`: what both ask of a scheduler.

The stages above use what `tasks`, `own_keys` and `watch` hand out, and of Dask itself its
collections alone, so that a change of Dask's task specification is a change here. Why not
`delayed`: it culls the graphs of all tasks in a list argument at each call, in time quadratic in
the chunks.
"""
