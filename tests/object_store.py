"""A real S3 server (SeaweedFS), for as long as the tests last."""

from __future__ import annotations

import gc
import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import warnings
from contextlib import contextmanager
from pathlib import Path

KEY, SECRET = "testkey", "testsecret"


def program():
    """Path of the server's program, None where it is not installed."""
    beside = Path(sys.executable).parent / "weed"
    return str(beside) if beside.exists() else shutil.which("weed")


def environment(address):
    """Variables by which S3 clients find the server."""
    return {
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_ENDPOINT_URL": address,
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def collect_sessions():
    """Collect what s3fs leaves open, here: elsewhere it would be the fault of some other test."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def forget_clients():
    """Forget those of another address: they are kept by their options, and it is none."""
    from s3fs import S3FileSystem

    from dask_kmsmote.job.storage.s3 import S3

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        for kind in (S3FileSystem, S3):
            kind.clear_instance_cache()
        gc.collect()


def free_ports(n):
    """Ports that nobody is given by chance, and nor are those 10,000 above, for gRPC."""
    ports = []
    candidate = 10_500 + (time.time_ns() // 1000) % 11_000
    while len(ports) < n:
        candidate += 1
        try:
            for port in (candidate, candidate + 10_000):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        ports.append(candidate)
    return ports


@contextmanager
def serve(folder: Path):
    """The address of a server with its data in a folder."""
    identity = {
        "name": "test",
        "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    config = folder / "s3.json"
    config.write_text(json.dumps({"identities": [identity]}))
    (folder / "data").mkdir()
    master, volume, filer, s3 = free_ports(4)
    command = [
        program(), "-logtostderr=true", "server", f"-dir={folder / 'data'}", "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1", f"-master.port={master}", f"-volume.port={volume}", "-filer",
        f"-filer.port={filer}", "-s3", f"-s3.port={s3}", "-s3.ip.bind=127.0.0.1",
        f"-s3.config={config}", "-s3.port.iceberg=0", "-s3.port.lance=0",
        "-master.volumeSizeLimitMB=64", "-volume.max=50", "-master.telemetry=false",
    ]  # fmt: skip
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{s3}"
    try:
        _wait(f"{address}/status", server, folder / "log")
        yield address
    finally:
        server.kill()
        server.wait()


def _wait(url, server, log):
    stop = time.monotonic() + 60
    while time.monotonic() < stop:
        if server.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=1):  # noqa: S310 - its own server
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(log.read_text()[-2000:])
