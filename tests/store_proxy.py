"""A proxy between a job and a store, which fails as stores do.

It passes requests on as they came, so that their signatures hold: these cover the Host header.
"""

from __future__ import annotations

import asyncio
import struct
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from socket import SO_LINGER, SOL_SOCKET
from urllib.parse import urlsplit

KINDS = (
    "500", "503", "errors within 200", "reset before", "reset after", "cut", "delay", "expired",
)  # fmt: skip
_ANSWERS = {
    "500": ("500 Internal Server Error", "InternalError", "We encountered an internal error."),
    "503": ("503 Slow Down", "SlowDown", "Please reduce your request rate."),
    "expired": ("403 Forbidden", "ExpiredToken", "The provided token has expired."),
}


@dataclass(frozen=True)
class Fault:
    """What fails, from which request on, and how many that it fits in a row.

    Attributes
    ----------
    kind
        One of `KINDS`.
    first
        Number of the first request that it may strike.
    length
        How many it strikes; infinity is for good.
    writes
        Strike requests alone that change something.
    seconds
        Of a delay.
    where
        A part of the path or query of those that it strikes.
    """

    kind: str
    first: int
    length: float = 1
    writes: bool = False
    seconds: float = 30.0
    where: str = ""

    def fits(self, method, target, body):
        """Whether it can strike such a request."""
        if self.where not in target:
            return False
        if self.kind == "cut":
            return method == "GET"
        if self.kind == "errors within 200":
            return method == "POST" and "delete" in target and b"<Key>" in body
        return not self.writes or method not in {"GET", "HEAD"}


class Proxy:
    """What the proxy of an address has seen, and does.

    Attributes
    ----------
    address
        Where clients find it.
    n_requests
        That came since `reset`.
    struck
        Method and target of the requests that the fault struck.
    fails_still
        Whether it struck the last one.
    """

    def __init__(self, upstream):
        parts = urlsplit(upstream)
        self._upstream = parts.hostname, parts.port
        self._tasks = set()  # asyncio alone would hold them weakly
        self.reset(None)

    def reset(self, fault):
        """Fail so from now on, and count anew."""
        self.fault, self.n_requests, self.struck, self.fails_still = fault, 0, [], False

    def _strikes(self, method, target, body):
        number, fault = self.n_requests, self.fault
        self.n_requests += 1
        self.fails_still = (
            fault is not None
            and number >= fault.first
            and len(self.struck) < fault.length
            and fault.fits(method, target, body)
        )
        if not self.fails_still:
            return None
        self.struck.append(f"{method} {target}")
        return fault

    def connected(self, reader, writer):
        """Serve a connection of a client."""
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader, writer):
        """One connection of a client, with one of its own to the store."""
        upstream = await asyncio.open_connection(*self._upstream)
        try:
            while head := await _head(reader):
                if _field(head, "expect"):
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                if not await self._answer(head, await _body(reader, head), upstream, writer):
                    break
        except (OSError, EOFError, asyncio.CancelledError):  # either end has gone, or all ends
            pass
        finally:
            for own in (writer, upstream[1]):
                own.close()
                with suppress(OSError):
                    await own.wait_closed()

    async def _answer(self, head, body, upstream, writer):
        """Answer one request; whether the connection is still good."""
        method, target, _ = head[0].split(" ", 2)
        fault = self._strikes(method, target, body)
        kind = fault and fault.kind
        if kind == "reset before":
            return _reset(writer)
        if kind in _ANSWERS:
            writer.write(_error(method, *_ANSWERS[kind]))
            return True
        if kind == "errors within 200":
            writer.write(_refused_keys(body))
            return True
        kept = [line for line in head if not line.lower().startswith("expect:")]
        upstream[1].write("\r\n".join([*kept, "", ""]).encode("latin-1") + body)
        start, rest = await _answered(upstream[0], method)
        if kind == "reset after":
            return _reset(writer)
        if kind == "delay":
            await asyncio.sleep(fault.seconds)
        writer.write(start + (rest[: len(rest) // 2] if kind == "cut" else rest))
        await writer.drain()
        return kind != "cut"


def _reset(writer):
    with suppress(OSError):
        writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    return False


async def _head(reader):
    """The lines before a body; none where the connection ends."""
    try:
        text = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return []
    return text.decode("latin-1").split("\r\n")[:-2]


def _field(head, name):
    found = [line for line in head[1:] if line.lower().startswith(f"{name}:")]
    return found[0].partition(":")[2].strip() if found else ""


async def _body(reader, head):
    """A body as it came, chunks and all."""
    if _field(head, "transfer-encoding").lower() != "chunked":
        return await reader.readexactly(int(_field(head, "content-length") or 0))
    parts = []
    while True:
        size = await reader.readuntil(b"\r\n")
        parts.append(size)
        n_bytes = int(size.split(b";")[0], 16)
        if n_bytes == 0:
            while parts[-1] != b"\r\n":
                parts.append(await reader.readuntil(b"\r\n"))
            return b"".join(parts)
        parts.append(await reader.readexactly(n_bytes + 2))


async def _answered(reader, method):
    head = await _head(reader)
    if not head:
        raise EOFError
    status = int(head[0].split(" ")[1])
    has_none = method == "HEAD" or status in {204, 304}
    rest = b"" if has_none else await _body(reader, head)
    return "\r\n".join([*head, "", ""]).encode("latin-1"), rest


def _error(method, status, code, message):
    text = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return _xml(status, text, with_body=method != "HEAD")


def _refused_keys(body):
    key = body.partition(b"<Key>")[2].partition(b"</Key>")[0].decode()
    error = f"<Error><Key>{key}</Key><Code>InternalError</Code><Message>Again.</Message></Error>"
    return _xml("200 OK", f"<DeleteResult>{error}</DeleteResult>")


def _xml(status, text, *, with_body=True):
    body = f'<?xml version="1.0" encoding="UTF-8"?>{text}'.encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}"
    return f"{head}\r\n\r\n".encode() + (body if with_body else b"")


@contextmanager
def between(upstream):
    """A proxy of an address, on a thread of its own."""
    proxy, loop = Proxy(upstream), asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(proxy.connected, "127.0.0.1", 0))
    proxy.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        asyncio.run_coroutine_threadsafe(_end(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _end(server):
    server.close()
    own = asyncio.current_task()
    left = [task for task in asyncio.all_tasks() if task is not own]
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
