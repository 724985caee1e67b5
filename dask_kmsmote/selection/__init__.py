"""Selection: whether over-sampling helps a classifier on some data, and with which settings.

- `search`: the call. Rows, folds and candidates are settled, trials run, a result is left.
- `candidates`: none, class weights, random, SMOTE, and `KMeansSMOTE` with the settings of a grid.
- `sample`, `folds`: the rows, of many some, and the parts that are trained and tested on.
- `classifier`: the one where none is given, and what is asked of any.
- `scoring`: what a trained classifier is judged by.
- `trials`: candidates that share clusters, trained and judged on one fold, as one piece of work.
- `workers`: pieces of work on the active cluster, or on threads.
- `result`, `display`: means, differences and their errors; what is best, or that nothing is.

A candidate sees the training part of a fold alone. Differences are paired by fold; their errors are
widened for training parts that overlap (Nadeau and Bengio 2003). "none" is best unless a candidate
beats it beyond one standard error, and the habit of taking the best beyond chance: on each fold,
what folds without its test rows chose. That is the estimate, too, as a winner's score is too good.
"""
