"""Graphs: a module or a room for each box of the picture that is a graph, and `dask` below them.

    census -> clustering -> survey -> (choose) -> gather -> density -> (allocate) -> synthesis

Each stage is a function of the run's `Tasks`, of what stages before it found and of the settings,
and gives a frozen result. It wires kernels together and does no arithmetic on rows: what a task
calls is in `kernels`, but for `len`, `sum` and the like. What is large is kept in cluster memory,
as tasks in the result; what comes back to the client is small.

- `chunks`: the input that all stages read. `settings`: what a run is asked for.
- `census`, `survey`: one pass each over X and y.
- `clustering`, `gather`, `density`, `synthesis`: see there.
- `dask`: all that is known of Dask's inside.

Tasks grow as the chunks and as the groups, never as their product (within a group, the pairs of its
ranges and what its output picks from its blocks are quadratic), and are built in time linear in
their number. A key reads ``kmsmote-<stage>-<what>``, as a dashboard shows it.
"""
