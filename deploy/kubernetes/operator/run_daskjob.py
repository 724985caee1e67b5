"""Make a DaskJob from a template, wait for its end, and exit with 0 only if it succeeded.

    run_daskjob.py TEMPLATE NAME UID

For a pod of a Job, whose NAME and UID these are. The DaskJob gets the Job's name, which a CronJob
makes new every time, and belongs to the Job: it is deleted with it. A DaskJob that does not end
before the Job's deadline is deleted when this gets SIGTERM.
"""

# a script, which prints; the URL is the cluster's own
# ruff: noqa: INP001, S310, T201
from __future__ import annotations

import json
import os
import signal
import ssl
import sys
import time
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import yaml

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
DASKJOBS = "/apis/kubernetes.dask.org/v1/namespaces/{namespace}/daskjobs"
RUNNER_LOG = "/api/v1/namespaces/{namespace}/pods/{name}-runner/log?tailLines=40"
POLL_SECONDS = 10.0


class Api:
    """The Kubernetes API, as the pod's service account sees it."""

    def __init__(self, url: str, account: Path) -> None:
        self.url, self.account = url, account
        self.namespace = (account / "namespace").read_text()
        self.context = ssl.create_default_context(cafile=account / "ca.crt")

    def __call__(self, method: str, path: str, body: object = None) -> bytes:
        """What the API answers to a request."""
        # the token is read every time: it is renewed while the pod runs
        headers = {
            "Authorization": f"Bearer {(self.account / 'token').read_text()}",
            "Content-Type": "application/json",
        }
        data = None if body is None else json.dumps(body).encode()
        url = self.url + path.format(namespace=self.namespace)
        request = Request(url, data, headers, method=method)
        with urlopen(request, timeout=30, context=self.context) as response:
            return response.read()


def from_template(template: str, name: str, uid: str) -> dict:
    """The template as the DaskJob of the Job with this name."""
    job = yaml.safe_load(template)
    job["metadata"]["name"] = name
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": uid}
    job["metadata"]["ownerReferences"] = [owner]
    selector = job["spec"]["cluster"]["spec"]["scheduler"]["service"]["selector"]
    selector["dask.org/cluster-name"] = name
    return job


def wait(api: Api, name: str, poll_seconds: float) -> str:
    """The status the DaskJob ends with: Successful or Failed."""
    status = None
    while status not in ("Successful", "Failed"):
        time.sleep(poll_seconds)
        try:
            job = json.loads(api("GET", f"{DASKJOBS}/{name}"))
        except HTTPError as error:
            # 404: somebody deleted it. A server's trouble passes.
            if error.code < 500:
                raise
        except URLError as error:
            print(f"{error}: asking again", flush=True)
        else:
            if status != (status := job.get("status", {}).get("jobStatus")):
                print(f"{name}: {status}", flush=True)
    return status


def run(api: Api, job: dict, poll_seconds: float = POLL_SECONDS) -> int:
    """Create the DaskJob and wait; print what it logged last."""
    name = job["metadata"]["name"]
    api("POST", DASKJOBS, job)
    try:
        status = wait(api, name, poll_seconds)
    except SystemExit:
        api("DELETE", f"{DASKJOBS}/{name}")
        raise
    try:
        print(api("GET", RUNNER_LOG.replace("{name}", name)).decode(), flush=True)
    except (HTTPError, URLError) as error:
        print(f"No log: {error}", flush=True)
    return 0 if status == "Successful" else 1


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    template_path, job_name, job_uid = sys.argv[1:]
    server = "https://{KUBERNETES_SERVICE_HOST}:{KUBERNETES_SERVICE_PORT}".format(**os.environ)
    template_text = Path(template_path).read_text()
    sys.exit(run(Api(server, ACCOUNT), from_template(template_text, job_name, job_uid)))
