"""TLS to a scheduler that runs as a process of its own, with certificates made here."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import dask
import distributed  # noqa: F401 - its configuration must be there before it is changed
import pandas as pd
import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from distributed import LocalCluster

from conftest import make_imbalanced
from dask_kmsmote.cli import cli

pytestmark = pytest.mark.cluster
BIN = Path(sys.executable).parent


def make_certificate(folder, name, authority=None):
    """Write name.pem and name-key.pem; an authority signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    issuer, signing = authority or (subject, key)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=authority is None, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(signing, hashes.SHA256())
    )
    (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}-key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return subject, key


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A folder with a table, certificates, and the file of a scheduler that wants TLS."""
    folder = tmp_path_factory.mktemp("tls")
    X, y = make_imbalanced(300, 2)
    pd.DataFrame(X, columns=["a", "b"]).assign(label=y).to_parquet(folder / "source.parquet")
    ours, others = (make_certificate(folder, name) for name in ("ca", "other-ca"))
    for name, authority in (("node", ours), ("client", ours), ("other", others)):
        make_certificate(folder, name, authority)
    text = (folder / "client.pem").read_text() + (folder / "client-key.pem").read_text()
    (folder / "both.pem").write_text(text)
    tls = ["--tls-ca-file", "ca.pem", "--tls-cert", "node.pem", "--tls-key", "node-key.pem"]
    file = folder / "scheduler.json"
    of_scheduler = ["--protocol", "tls", "--host", "127.0.0.1", "--port", "0"]
    commands = [
        ["scheduler", *of_scheduler, "--no-dashboard", "--scheduler-file", file, *tls],
        ["worker", "--scheduler-file", file, "--nthreads", "1", "--no-dashboard", *tls],
    ]
    processes = []
    with (folder / "log").open("w") as log:
        try:
            for command in commands:
                processes.append(subprocess.Popen([BIN / "dask", *command], cwd=folder, stderr=log))
                while not (file.exists() and file.read_text().endswith("}")):
                    assert processes[0].poll() is None, (folder / "log").read_text()
                    time.sleep(0.1)
            yield folder
        finally:
            for process in reversed(processes):
                process.terminate()
            for process in processes:
                process.wait(timeout=30)


CONFIGURED = "distributed.comm.tls."
KEYS = [f"{CONFIGURED}{key}" for key in ("ca-file", "client.cert", "client.key")]


def plan(folder, *options, address=None, files=(), **settings):
    """The command, with the files in Dask's configuration."""
    where = ["--scheduler-file", folder / "scheduler.json"] if address is None else address
    arguments = ["plan", folder / "source.parquet", "--target", "label", *where, *options]
    paths = {key: str(folder / name) for key, name in zip(KEYS, files, strict=False)}
    with dask.config.set({"distributed.comm.timeouts.connect": "5s"} | paths | settings):
        return CliRunner().invoke(cli, list(map(str, arguments)))


def address_of(folder):
    return json.loads((folder / "scheduler.json").read_text())["address"]


RIGHT = "ca.pem", "client.pem", "client-key.pem"
PLAIN = {"distributed.comm.default-scheme": "tls"}
CA, CERT, KEY = (f"DASK_DISTRIBUTED__COMM__TLS__{name}" for name in (
    "CA_FILE", "CLIENT__CERT", "CLIENT__KEY",
))  # fmt: skip


@pytest.mark.parametrize("files", [RIGHT, ("ca.pem", "both.pem")])
@pytest.mark.parametrize("scheme", ["file", "tls://", ""])
def test_right_files(cluster, files, scheme):
    address = scheme + address_of(cluster).removeprefix("tls://")
    where = None if scheme == "file" else ["--scheduler", address]
    done = plan(cluster, address=where, files=files, **({} if scheme else PLAIN))
    assert done.exit_code == 0, done.output
    assert "A run would write 540 rows" in done.stdout


def test_files_in_the_environment(cluster):
    """A process of its own reads Dask's configuration from it."""
    names = dict(zip((CA, CERT, KEY), RIGHT, strict=True))
    paths = {variable: str(cluster / name) for variable, name in names.items()}
    command = [BIN / "dask-kmsmote", "plan", cluster / "source.parquet", "--target", "label",
               "--scheduler", address_of(cluster)]  # fmt: skip
    shown = subprocess.check_output(command, env=os.environ | paths, text=True)
    assert "A run would write 540 rows" in shown


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (("other-ca.pem", *RIGHT[1:]), ["authority of its certificate", CA]),
        (("ca.pem", "other.pem", "other-key.pem"), ["one that it accepts", CERT]),
        (("ca.pem", "client.pem", "nowhere.pem"), [f"{KEY} names no file", "nowhere.pem"]),
        (("ca.pem", "client.pem", "node-key.pem"), ["key is the certificate's"]),
        (("ca.pem", "client.pem"), ["PEM files"]),
        (("ca.pem", "source.parquet", "client-key.pem"), ["PEM files"]),
        (("source.parquet", *RIGHT[1:]), ["PEM files"]),
        (("ca.pem",), ["wants TLS", CERT]),
        ((), ["wants TLS", CA]),
    ],
)
def test_wrong_files(cluster, files, words):
    refused(plan(cluster, files=files), 5, *words)


def test_an_address_without_a_scheme_where_encryption_is_required(cluster):
    address = ["--scheduler", address_of(cluster).removeprefix("tls://")]
    wanted = PLAIN | {"distributed.comm.require-encryption": True}
    done = plan(cluster, address=address, files=RIGHT, **wanted)
    assert done.exit_code == 0, done.output


def test_files_that_a_plain_scheduler_does_not_need(cluster):
    with LocalCluster(
        n_workers=1, processes=False, dashboard_address=None, protocol="tcp"
    ) as plain:  # fmt: skip
        address = ["--scheduler", plain.scheduler_address]
        done = plan(cluster, address=address, files=["gone.pem"])
    assert done.exit_code == 0, done.output


def test_a_plain_client(cluster):
    address = ["--scheduler", address_of(cluster).replace("tls://", "tcp://")]
    refused(plan(cluster, address=address), 5, "whether it wants TLS", CA)
    wanted = {"distributed.comm.require-encryption": True}
    refused(plan(cluster, address=address, files=RIGHT, **wanted), 5, "without TLS", "tls://...")


def refused(done, code, *words):
    assert done.exit_code == code, done.output
    (line,) = [line for line in done.stderr.splitlines() if "Error" in line]
    assert all(word in line for word in words), line
    assert "Traceback" not in done.stderr
