"""A place on a local disk or an object store, by its path or URL."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ...errors import ParameterError, StorageError
from .masking import has_password, masked, masked_url, secrets_of

# of libraries whose exceptions have no base class of their own
_STORE_PACKAGES = {"botocore", "aiobotocore", "aiohttp", "s3fs", "gcsfs", "adlfs"}
_S3 = "s3://", "s3a://"
GIVE_UP_AFTER = 60.0  # seconds for which a store that fails is asked again
# what stores know of a file; "created" is a local one's change time, which no program can set back
_MARKS = ("ETag", "etag", "mtime", "created", "LastModified", "Last-Modified", "last_modified")
# the place itself; absolute paths, also of Windows; URLs and chains of them; parts . and ..
_OUTSIDE = re.compile(r"^$|^/|^[A-Za-z]:|\\|://|::|(^|/)\.\.?(/|$)")


@dataclass(frozen=True)
class Location:
    """A path or URL, and the options of its file system.

    Attributes
    ----------
    url
        Local path, or any URL that fsspec knows.
    options
        Passed to the file system. They may be secret: nothing shows them.
    """

    url: str
    options: dict[str, Any] = field(default_factory=dict)

    # that of a dataclass shows the options, also within that of a `Job`
    def __repr__(self) -> str:
        return f"Location({self.shown!r})"

    def __getstate__(self) -> dict[str, Any]:
        # workers open a file system of their own, in a folder of their own
        return {"url": self.path if self.is_local else self.url, "options": self.options}

    @property
    def shown(self) -> str:
        """The URL as messages may show it."""
        return masked_url(self.url)

    def masked(self, text: object) -> str:
        """A text of the file system, without what its options and its URL hide."""
        return masked(str(text), secrets_of([self.url], self.options))

    @cached_property
    def _resolved(self) -> tuple[Any, str]:
        from fsspec.implementations.local import LocalFileSystem

        if not self.url:
            raise ParameterError("The source or destination has no path: is a variable empty?")
        if "::" in self.url:
            raise ParameterError(
                f"{self.shown!r} has '::' in it, which chains file systems: name one path or URL."
            )
        if has_password(self.url):
            raise ParameterError(
                f"{self.shown!r} has a password in it, which logs of the cluster would show: give "
                "it as an environment variable of the store, or by --storage-options."
            )
        try:
            fs, path = self._open()
        except ImportError as error:
            raise ParameterError(
                f"{self.shown!r} needs another package: {self.masked(error)}. For S3, pip install "
                "'dask-kmsmote[s3]'; for other stores, the package that fsspec names."
            ) from error
        except (ValueError, TypeError, KeyError) as error:
            raise ParameterError(f"{self.shown!r} can't be used: {self.masked(error)}.") from error
        if not isinstance(fs, LocalFileSystem) and "//" in path.rpartition("://")[2]:
            raise ParameterError(
                f"{self.shown!r} has '//' within its path, which stores and writers take for "
                "different keys: leave one slash out."
            )
        # links are followed once, so that places can be compared, and replaced by a rename
        return fs, os.path.realpath(path) if isinstance(fs, LocalFileSystem) else path

    def _open(self) -> tuple[Any, str]:
        """A file system, and the path in it."""
        from fsspec.core import url_to_fs

        return self._open_s3() if self.url.startswith(_S3) else url_to_fs(self.url, **self.options)

    def _open_s3(self, **more: Any) -> tuple[Any, str]:
        from .s3 import S3

        of_url = S3._get_kwargs_from_urls(self.url)
        return S3(**of_url | self.options | more), S3._strip_protocol(self.url)

    @property
    def zarr_store(self) -> Any:
        """The place as readers and writers of Zarr take it."""
        from zarr.storage import FsspecStore

        if self.is_local:
            return self.path
        if self.url.startswith(_S3):
            fs, path = self._open_s3(asynchronous=True)
            return FsspecStore(fs, path=path)
        return FsspecStore.from_url(self.url, storage_options=self.options)

    @property
    def fs(self) -> Any:
        """The file system."""
        return self._resolved[0]

    @property
    def path(self) -> str:
        """The path within the file system, without a slash at its end."""
        return self._resolved[1].rstrip("/")

    def path_of(self, name: str) -> str:
        """The path of a file there; of the place itself, where it has the path ""."""
        return f"{self.path}/{name}".rstrip("/")

    @property
    def is_local(self) -> bool:
        """Whether it is on a local disk, where a rename is atomic."""
        from fsspec.implementations.local import LocalFileSystem

        return isinstance(self.fs, LocalFileSystem)

    @property
    def name(self) -> str:
        """Last part of the path."""
        return self.path.rpartition("/")[2]

    def reads_as_pattern(self, name: str = "") -> bool:
        """Whether readers take the path, or a name below it, for a pattern of names."""
        signs = "*[" if self.url.startswith("http") else "*?["
        return bool(set(signs) & {*self.path, *name})

    def __truediv__(self, name: str) -> Location:
        """The place `name` below this one."""
        return Location(self.fs.unstrip_protocol(f"{self.path}/{name}"), self.options)

    def above(self) -> Iterator[Location]:
        """The folders that it lies in, from the nearest; none of a web server, which has none."""
        path = self.path.rpartition("/")[0]
        while path and not self.url.startswith("http"):
            yield Location(self.fs.unstrip_protocol(path), self.options)
            path = path.rpartition("/")[0]

    def names_in(self, folder: str) -> list[str]:
        """Paths of what lies in a folder of it, relative to it; none where there is no folder.

        Raises
        ------
        OSError
            The store refuses.
        """
        try:
            found = self.fs.ls(f"{self.path}/{folder}", detail=False)
        except (FileNotFoundError, NotADirectoryError):
            return []
        return [f"{folder}/{path.rstrip('/').rpartition('/')[2]}" for path in found]

    def exists(self) -> bool:
        """Whether anything is there, as the store says now.

        Raises
        ------
        ParameterError, StorageError
            The store does not know one of the options, or refuses.
        """
        with self.reached():
            # fsspec shares a file system between places, and with it the listings that it keeps
            self.fs.invalidate_cache()
            return bool(self.fs.exists(self.path))

    @contextmanager
    def reached(self) -> Iterator[None]:
        """Name this place, and a hint, where a store refuses what the body asks.

        Raises
        ------
        ParameterError
            The store does not know one of the options: it connects when it is first asked.
        StorageError
            It is not there, or refuses.
        """
        try:
            yield
        except TypeError as error:
            raise ParameterError(
                f"{self.shown!r} can't be used with the storage options {sorted(self.options)}: "
                f"{self.masked(error)}."
            ) from error
        except (FileNotFoundError, StorageError):  # which name the place already
            raise
        except Exception as error:
            store = {kind.__module__.partition(".")[0] for kind in type(error).__mro__}
            if self.is_local or not (isinstance(error, OSError) or store & _STORE_PACKAGES):
                raise
            text = " ".join(self.masked(error).split()).rstrip(".") or type(error).__name__
            raise StorageError(
                f"{self.shown!r} can't be reached: {text}. Check the path, and the credentials and "
                "the endpoint (for S3 in AWS_... variables, or --storage-options), and run the job "
                "again."
            ) from error

    def files(self) -> dict[str, dict[str, Any]]:
        """Paths of the files there or below, relative to it, and what is known of each.

        A file itself has the path ""; empty objects that stand for folders have none.
        """
        with self.reached():
            self.fs.invalidate_cache()
            found = self.fs.find(self.path, detail=True)
        return {
            path[len(self.path) + 1 :]: info
            for path, info in sorted(found.items())
            if not path.endswith("/") and info["type"] != "directory"
        }


def lies_within(path: str) -> bool:
    """Whether a relative path, which somebody else wrote, stays within the place it is of."""
    return not _OUTSIDE.search(path)


def contains(outer: Location, inner: Location) -> bool:
    """Whether one place is the other, or lies below it."""
    # with a slash at both ends, as "out" does not contain "out2"
    same = type(outer.fs) is type(inner.fs)
    return same and f"{inner.path}/".startswith(f"{outer.path}/")


def fingerprint(files: dict[str, dict[str, Any]]) -> str:
    """What changes with the files: SHA-256 of their names, sizes, times and tags."""
    digest = hashlib.sha256()
    for path, info in files.items():
        marks = [info[key] for key in _MARKS if key in info]
        digest.update(f"{path}\0{info.get('size')}\0{marks}\n".encode())
    return digest.hexdigest()
