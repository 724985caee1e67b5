"""Kernels: what runs in a task, on blocks in memory: numpy, numba and scikit-learn, no Dask.

    making      parents drawn, and rows made of them
    neighbors   distances and nearest rows of a group: all pairs, random trees, or the user's object
    groups      the rows of a class in a cluster: cut out of chunks, joined, picked by their numbers
    clusters    centres learned from rows, and the cluster of each row
    rows        blocks of rows and labels: dense or sparse, checked, counted, fingerprinted

A room uses those below it in this list. Functions here are called with whole blocks and return
small tuples or blocks; they change nothing that they are given, as what a task is given belongs to
the task that made it. Everything random comes from a stream of `seeding`, keyed by its use, but for
imbalanced-learn's own draws.

Results do not depend on how rows were chunked: sums over rows are exact or in a fixed order (but
for the inertia, which is only told), our own search of all pairs settles equal distances by row
number, and our own assignment computes a row's cluster for it alone. Loops that
numpy has no vectors for are `compiled`: they release the interpreter lock, and are kept on disk.
"""
