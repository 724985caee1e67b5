"""Two folders that swap their names in one step, where the system can."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

# of linux/fs.h and fcntl.h; Python has no name for the call
_RENAME_EXCHANGE = 2
_AT_FDCWD = -100


def exchange(one: Path, other: Path) -> bool:
    """Swap two paths, so that both are there at every moment.

    Returns
    -------
    bool
        Whether it was done: kernels other than Linux, NFS and some other file systems can't.
    """
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):  # not in this C library
        return False
    paths = _AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other)
    return bool(rename(*paths, _RENAME_EXCHANGE) == 0)
