"""Neighbours: distances of a group's rows, and the rows nearest to each.

- `distances`: all pairs of two blocks in one loop: the sum of distances, and nearest rows.
- `density`: the same for a group, put together from the pairs of its ranges.
- `forest`: approximate neighbours by random trees, within one block; with few features, exact ones
  by a k-d tree.
- `cells`: the same for a group of many blocks, cut so that near rows are in one cell.
- `recall`: how many of the true neighbours were found, measured on a sample.
- `search`: neighbours by an object of the user's or of scikit-learn.

A list of nearest rows has squared distances, ascending, and row numbers; equal distances keep the
order of the rows where all pairs are looked at. In `distances`, squares are summed feature by
feature, without reassociation, so that the bits are the same on any machine.
"""
