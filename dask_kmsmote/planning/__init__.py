"""Planning: decisions on small tables: pure functions, no Dask, no rows.

    strategy   rows to make of each class, from `sampling_strategy` and the counts
    checks     what the census found, judged
    choose     which clusters are kept for a class
    allocate   how a class's new rows are shared among its kept clusters
    plan       the decision as a whole, made of `groups`; its blocks are the output's
    advice     what a plan warns of
    display    a plan as text and HTML
    cuts       where blocks begin and end

Counts are integers; by the package's recipe they are exact, and weights are made in log space.
Where over-samplers differ, a function of a recipe is asked (`ClusterRules`, `ShareRules`). A plan
is known before a row is made, and does not depend on the chunks, so it can be looked at, compared
and kept.
"""
