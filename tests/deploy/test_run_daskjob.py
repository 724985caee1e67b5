"""The script of the operator's CronJob, against a stand-in for the Kubernetes API on 127.0.0.1."""

from __future__ import annotations

import importlib.util
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.error import HTTPError

import pytest
from files import DEPLOY

FOLDER = DEPLOY / "kubernetes/operator"
TEMPLATE = (FOLDER / "daskjob.yaml").read_text()


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("run_daskjob", FOLDER / "run_daskjob.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class FakeApi:
    """Answers GET with one status after the other; a number is an HTTP error."""

    def __init__(self, *statuses):
        self.statuses, self.requests = list(statuses), []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                code, body = 200, b"the log"
                if "/daskjobs" in self.path:
                    status = fake.statuses.pop(0)
                    code = status if isinstance(status, int) else 200
                    body = json.dumps({"status": {"jobStatus": status}}).encode()
                self.answer(code, body)

            def do_POST(self):
                self.answer(201, b"{}")

            def do_DELETE(self):
                self.answer(200, b"{}")

            def answer(self, code, body):
                length = int(self.headers.get("Content-Length") or 0)
                content = json.loads(self.rfile.read(length) or b"null")
                fake.requests.append((self.command, self.path, content))
                assert self.headers["Authorization"] == "Bearer abc"
                self.send_response(code)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def run(self, script, account, name="dask-kmsmote-nightly-29384720"):
        for file, content in {"namespace": "batch", "token": "abc"}.items():
            (account / file).write_text(content)
        api = script.Api(f"http://127.0.0.1:{self.server.server_port}", account)
        return script.run(api, script.from_template(TEMPLATE, name, "uid-1"), poll_seconds=0.01)


@pytest.fixture(autouse=True)
def no_certificates(script, monkeypatch):
    monkeypatch.setattr(script.ssl, "create_default_context", lambda **_: None)


@pytest.mark.parametrize(("last", "code"), [("Successful", 0), ("Failed", 1)])
def test_exit_code_is_the_daskjobs(script, tmp_path, capsys, last, code):
    with FakeApi(None, "JobCreated", "Running", 503, "Running", last) as fake:
        assert fake.run(script, tmp_path) == code
    method, path, job = fake.requests[0]
    name = job["metadata"]["name"]
    assert (method, path) == ("POST", "/apis/kubernetes.dask.org/v1/namespaces/batch/daskjobs")
    assert name == "dask-kmsmote-nightly-29384720"
    assert job["metadata"]["ownerReferences"][0]["uid"] == "uid-1"
    selector = job["spec"]["cluster"]["spec"]["scheduler"]["service"]["selector"]
    assert selector["dask.org/cluster-name"] == name
    assert fake.requests[-1][1] == (f"/api/v1/namespaces/batch/pods/{name}-runner/log?tailLines=40")
    assert "the log" in capsys.readouterr().out


def test_deleted_by_hand_fails(script, tmp_path):
    with FakeApi("Running", 404) as fake, pytest.raises(HTTPError):
        fake.run(script, tmp_path)


def test_deleted_at_the_deadline(script, tmp_path, monkeypatch):
    def stop(_):
        raise SystemExit(1)  # as the handler of SIGTERM does

    monkeypatch.setattr(script.time, "sleep", stop)
    with FakeApi() as fake, pytest.raises(SystemExit):
        fake.run(script, tmp_path)
    assert [method for method, *_ in fake.requests] == ["POST", "DELETE"]


def test_template_runs_once(script):
    job = script.from_template(TEMPLATE, "n", "u")
    # else the operator never sees the pod of a failed run as failed
    assert job["spec"]["job"]["spec"]["restartPolicy"] == "Never"
