"""Features as samplers and as classifiers see them: standardised, categories as codes or flags."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.preprocessing import OneHotEncoder, StandardScaler


class Features:
    """Learned on training rows: means, deviations and categories.

    Parameters
    ----------
    X
        Training rows, of which some columns are codes.
    categorical
        Those columns.
    """

    def __init__(self, X: np.ndarray, categorical: Sequence[int]) -> None:
        self.categorical = list(categorical)
        self.numbers = [column for column in range(X.shape[1]) if column not in self.categorical]
        if self.numbers:
            self._scaler = StandardScaler().fit(X[:, self.numbers])
        if self.categorical:
            self._encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
            self._encoder.fit(X[:, self.categorical])

    def standardised(self, X: np.ndarray) -> np.ndarray:
        """Numbers standardised, codes as they are."""
        found = np.array(X, dtype=np.float64)
        if self.numbers:
            found[:, self.numbers] = self._scaler.transform(found[:, self.numbers])
        return found

    def flagged(self, X: np.ndarray) -> np.ndarray:
        """What `standardised` gives, with a flag for each category in place of the codes."""
        if not self.categorical:
            return X
        flags = self._encoder.transform(X[:, self.categorical])
        return np.hstack([X[:, self.numbers], flags])
