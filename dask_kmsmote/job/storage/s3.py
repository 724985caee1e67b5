"""S3 that is asked again, for a while, where it fails.

s3fs and its client ask again on their own, one within the other: for half an hour where a store
does not answer, and for seconds where it answers 500. Here all that is asked passes one place,
which asks again until a time is over, and then says what to do.
"""

from __future__ import annotations

import asyncio
import atexit
from collections.abc import Collection
from contextlib import suppress
from io import BytesIO
from itertools import count
from random import random
from time import monotonic
from typing import Any

from aiohttp import ClientError as BrokenOff
from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError, SSLError
from botocore.exceptions import ConnectionError as NotConnected
from botocore.parsers import ResponseParserError
from fsspec.asyn import sync_wrapper
from s3fs import S3FileSystem
from s3fs.errors import translate_boto_error

from ...errors import StorageError
from .location import GIVE_UP_AFTER

_FIRST_WAIT, _LONGEST_WAIT = 0.2, 10.0  # seconds between two attempts, at most
_AT_REST = 60.0  # seconds without a request, after which a failure is a new one
_NO_ANSWER = BrokenOff, NotConnected, HTTPClientError, IncompleteReadError, ResponseParserError
_BUSY = {"SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "503", "429"}
_PASSING = {
    *_BUSY,
    "RequestTimeout",
    "BadDigest",
    "XAmzContentSHA256Mismatch",
    "OperationAborted",
    "ConditionalRequestConflict",
}
# how deltalake and others that are made of object_store call them, without "aws_"
_CALLED = {
    "access_key_id": '"key"',
    "secret_access_key": '"secret"',
    "session_token": '"token"',
    "endpoint": '"endpoint_url"',
    "endpoint_url": '"endpoint_url"',
    "region": '"client_kwargs": {"region_name": ...}',
    "default_region": '"client_kwargs": {"region_name": ...}',
}
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}


class Outage:
    """How long S3 has failed without a break, whoever asked: seen by all of a process.

    A store that is down is then waited for once, and not by each request anew.
    """

    def __init__(self) -> None:
        self._since = self._last = float("-inf")

    def seconds(self) -> float:
        """Note a failure; how long they last."""
        now = monotonic()
        if now - self._last > _AT_REST:
            self._since = now
        self._last = now
        return now - self._since

    def end(self) -> None:
        """Note an answer."""
        self._last = float("-inf")


_OUTAGE = Outage()


def _require_names_of_s3fs(options: Collection[str]) -> None:
    own = {name: name.lower().removeprefix("aws_") for name in options if name != "endpoint_url"}
    odd = {
        name: _CALLED.get(word, "nothing: leave it out")
        for name, word in own.items()
        if word in _CALLED or word != name.lower()
    }
    if odd:
        text = ", ".join(f"{name!r} is {meant}" for name, meant in odd.items())
        raise ValueError(f"storage options have the names of s3fs, in which {text}")


class _Body(BytesIO):
    """The body of an answer, read whole."""

    async def read(self, *n: int) -> bytes:  # type: ignore[override]
        return super().read(*n)


class S3(S3FileSystem):  # type: ignore[misc]
    """S3 as s3fs has it, but for what happens where it fails.

    Parameters
    ----------
    give_up_after
        Seconds that a request, and all that follow it without an answer, are asked again.
    config_kwargs
        Of botocore. Its own retries are none, unless they are given here.
    **options
        Of s3fs.

    Raises
    ------
    ValueError
        Options are called as in deltalake.
    """

    retries = 1  # of s3fs itself

    def __init__(
        self,
        *,
        give_up_after: float = GIVE_UP_AFTER,
        config_kwargs: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        _require_names_of_s3fs(options)
        config = {"retries": {"total_max_attempts": 1}, **(config_kwargs or {})}
        super().__init__(config_kwargs=config, **options)
        self.give_up_after = float(give_up_after)

    async def set_session(self, *given: Any, **named: Any) -> Any:
        """As in s3fs, which closes no session of another loop, such as that of Zarr."""
        is_new = self._s3 is None
        session = await super().set_session(*given, **named)
        if is_new and self.asynchronous:
            # now, and so before Zarr ends its loop; aiohttp tells of each that is open in the end
            atexit.register(self.close_session, asyncio.get_running_loop(), self._s3creator)
        return session

    async def _call_s3(self, method: str, *given: Any, **named: Any) -> Any:
        start = monotonic()
        for attempt in count():
            try:
                found = await self._ask(method, *given, **named)
            except Exception as error:
                if not _passes(error):
                    _OUTAGE.end()
                    if done := await self._done(method, error, named):
                        return done
                    if told := _refusal(method, error, named):
                        raise told from error
                    raise
                failing = max(monotonic() - start, _OUTAGE.seconds())
                if failing >= self.give_up_after:
                    raise StorageError(_failure(error, named, failing)) from error
                wait = random() * min(_LONGEST_WAIT, _FIRST_WAIT * 2**attempt)  # noqa: S311
                await asyncio.sleep(min(wait, self.give_up_after - failing))
            else:
                _OUTAGE.end()
                return found
        return None

    call_s3 = sync_wrapper(_call_s3)

    async def _ask(self, method: str, *given: Any, **named: Any) -> Any:
        """Ask once; whole bodies, and an error where some of several keys are not removed."""
        found = await super()._call_s3(method, *given, **named)
        if method == "get_object":
            body = found["Body"]
            try:
                found["Body"] = _Body(await body.read())
            finally:
                body.close()
        elif method == "delete_objects" and found.get("Errors"):
            raise translate_boto_error(ClientError({"Error": found["Errors"][0]}, method))
        return found

    async def _rm(self, path: Any, recursive: bool = False, **more: Any) -> Any:  # noqa: FBT002
        """Remove; of a folder, also what was being uploaded to it."""
        if recursive and isinstance(path, str):
            await self._abort_uploads(path)
        return await super()._rm(path, recursive=recursive, **more)

    async def _abort_uploads(self, path: str) -> None:
        bucket, key, _ = self.split_path(path)
        try:
            found = await self._call_s3("list_multipart_uploads", Bucket=bucket, Prefix=f"{key}/")
        except StorageError:
            raise
        except OSError:  # a store may not let a user list them, or know none
            return
        for upload in found.get("Uploads", []):
            with suppress(FileNotFoundError):  # it has just ended
                await self._abort_mpu(bucket, upload["Key"], upload["UploadId"])

    async def _done(self, method: str, error: Exception, named: dict[str, Any]) -> Any:
        """What an earlier attempt has done, whose answer was lost; None where it has not.

        The earlier one may be of aiohttp, which tells of none.
        """
        place = {name: named.get(name) for name in ("Bucket", "Key")}
        code = _code(error)
        with suppress(FileNotFoundError):
            if method == "put_object" and "IfNoneMatch" in named and code == "PreconditionFailed":
                there = await self._call_s3("get_object", **place)
                return there if await there["Body"].read() == named["Body"] else None
            if method == "complete_multipart_upload" and code == "NoSuchUpload":
                there = await self._call_s3("head_object", **place)
                n_parts = len(named["MultipartUpload"]["Parts"])
                return there if there.get("ETag", "").strip('"').endswith(f"-{n_parts}") else None
        return None


def _response(error: Exception) -> dict[str, Any]:
    """What the store answered; nothing where it did not."""
    for own in (error, error.__cause__):
        if isinstance(own, ClientError):
            return dict(own.response)
    return {}


def _code(error: Exception) -> str:
    return str(_response(error).get("Error", {}).get("Code", ""))


def _status(error: Exception) -> int:
    return int(_response(error).get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _passes(error: Exception) -> bool:
    """Whether the same request may succeed a little later."""
    if not _response(error):
        silent = isinstance(error, (*_NO_ANSWER, TimeoutError))
        return silent and not isinstance(error, SSLError)
    is_of_store = _status(error) >= 500 and _status(error) != 501  # which is not implemented
    return is_of_store or _status(error) == 429 or _code(error) in {*_PASSING, "InternalError"}


def _place(named: dict[str, Any]) -> str:
    several = named.get("Delete", {}).get("Objects", [{}])
    key = named.get("Key") or named.get("Prefix") or several[0].get("Key", "")
    return repr(f"s3://{named.get('Bucket', '')}/{key}")


def _refusal(method: str, error: Exception, named: dict[str, Any]) -> OSError | None:
    """What to do about credentials that are refused; None where it is something else."""
    if _code(error) in _EXPIRED:
        return StorageError(
            f"The credentials for {_place(named)} have expired: renew them, here and where the "
            "workers run (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, aws sso "
            "login, or --storage-options), and run the job again."
        )
    # such answers have no body, and tell no code
    if method.startswith("head_") and _status(error) in {400, 403}:
        return PermissionError(
            f"{_place(named)} can't be read with these credentials ({_status(error)}); where they "
            "have expired, renew them and run the job again"
        )
    return None


def _failure(error: Exception, named: dict[str, Any], seconds: float) -> str:
    text = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    asked = f"asked again for {seconds:.0f} s"
    if _code(error) in _BUSY:
        return (
            f"The store asks to slow down at {_place(named)} ({text}; {asked}): run the job again "
            "when it is less busy, or with fewer --workers."
        )
    if _response(error):
        return (
            f"The store fails at {_place(named)} ({text}; {asked}): look at its state, and run the "
            "job again."
        )
    return (
        f"The store does not answer for {_place(named)} ({text}; {asked}): look whether it runs "
        "and can be reached from here and from the workers, and run the job again."
    )
