"""Density: mean distance and neighbours of each kept group, in cluster memory.

- `measure`: the stage. Small groups by all pairs; the mean distance of large ones by sampled pairs;
  neighbours by an object, where the user or the recipe gives one.
- `search`: approximate neighbours of large groups. Rounds of random trees (with few features, a k-d
  tree), until a recall that is measured on a sample of rows is reached, or 64 trees are grown.
- `chain`: the graph of one chain of such a round: rows to cells, what is found there, back.

What all pairs cost grows as the square of a group's rows, what trees cost as rows * log(rows):
`exact_rows` is about where they meet. A group may be searched by all pairs all the same, where the
trees that it still needs would be more work.
"""
