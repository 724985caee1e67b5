"""Drafts: what a run writes, until it is published in one step that a death can't cut in two.

- `draft`: what all of them have, and what whoever writes to one asks of it (a Delta table, too).
- `local`: a hidden folder beside the destination, under a lock; the two swap names (`exchange`).
- `store`: a prefix beside it, whose files are copied under a record that anybody can carry out.

A draft is whole once it has a manifest. Its parts are named by their run, so that who has listed
an old result never opens a part of a new one by its name: readers find all of a result, or raise.

What a run that died has left, the next one to the same destination ends or removes.
"""
