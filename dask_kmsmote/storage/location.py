"""A place on a local disk or an object store, by its path or URL."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ..errors import ParameterError


@dataclass(frozen=True)
class Location:
    """A path or URL, and the options of its file system.

    Attributes
    ----------
    url
        Local path, or any URL that fsspec knows.
    options
        Passed to the file system.
    """

    url: str
    options: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def _resolved(self) -> tuple[Any, str]:
        from fsspec.core import url_to_fs

        try:
            fs, path = url_to_fs(self.url, **self.options)
        except ImportError as error:
            raise ParameterError(
                f"{self.url!r} needs another package: {error}. For S3: pip install "
                "'dask-kmsmote[s3]'."
            ) from error
        except (ValueError, TypeError) as error:
            raise ParameterError(f"{self.url!r} can't be used: {error}.") from error
        return fs, path

    @property
    def fs(self) -> Any:
        """The file system."""
        return self._resolved[0]

    @property
    def path(self) -> str:
        """The path within the file system, without a slash at its end."""
        return self._resolved[1].rstrip("/")

    @property
    def is_local(self) -> bool:
        """Whether it is on a local disk, where a rename is atomic."""
        from fsspec.implementations.local import LocalFileSystem

        return isinstance(self.fs, LocalFileSystem)

    @property
    def name(self) -> str:
        """Last part of the path."""
        return self.path.rpartition("/")[2]

    def __truediv__(self, name: str) -> Location:
        """The place `name` below this one."""
        return Location(self.fs.unstrip_protocol(f"{self.path}/{name}"), self.options)

    def exists(self) -> bool:
        """Whether anything is there, as the store says now.

        Raises
        ------
        ParameterError
            The store does not know one of the options.
        """
        self.fs.invalidate_cache()
        try:
            return bool(self.fs.exists(self.path))
        except TypeError as error:
            # a store connects when it is first asked, and passes on what it does not know
            raise ParameterError(
                f"{self.url!r} can't be used with the storage options {sorted(self.options)}: "
                f"{error}."
            ) from error

    def files(self) -> dict[str, dict[str, Any]]:
        """Paths of the files there or below, relative to it, and what is known of each.

        A file itself has the path "".
        """
        self.fs.invalidate_cache()
        found = self.fs.find(self.path, detail=True)
        return {path[len(self.path) + 1 :]: info for path, info in sorted(found.items())}


def contains(outer: Location, inner: Location) -> bool:
    """Whether one place is the other, or lies below it."""
    same = type(outer.fs) is type(inner.fs)
    return same and f"{inner.path}/".startswith(f"{outer.path}/")


def fingerprint(files: dict[str, dict[str, Any]]) -> str:
    """What changes with the files: SHA-256 of their names, sizes, and times or tags."""
    digest = hashlib.sha256()
    for path, info in files.items():
        mark = next((info[key] for key in ("ETag", "etag", "mtime") if key in info), "")
        digest.update(f"{path}\0{info.get('size')}\0{mark}\n".encode())
    return digest.hexdigest()
