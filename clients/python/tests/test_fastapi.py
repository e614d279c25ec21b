import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

from receiver import PATIENCE
from test_sender import Case

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
CHECKIN = {"student_id": 1, "mood": "Great", "energy": "High", "stress": "No Stress"}


class Example(Case):
    """examples/fastapi in a real FastAPI, served by a real uvicorn."""

    def serve(self, to):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        env = {
            **os.environ,
            "PYTHONPATH": str(REPOSITORY / "clients/python/src"),
            "CHECKINS_DIR": os.path.join(folder.name, "made", "here"),
            "LARAVEL_WEBHOOK_URL": to.url,
            "SERVICES_WEBHOOK_SHARED_SECRET": "s3cret",
        }
        command = [sys.executable, "-m", "uvicorn", "--app-dir", str(REPOSITORY / "examples/fastapi"), "app:app", "--port", "0"]
        server = subprocess.Popen(command, env=env, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        self.addCleanup(self.end, server)
        said = []
        for line in server.stderr:
            said.append(line)
            found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
            if found:
                return server, f"http://127.0.0.1:{found[1]}"
        raise AssertionError("".join(said))

    def end(self, server):
        if server.stderr.closed:
            return
        server.send_signal(signal.SIGTERM)
        for _ in server.stderr:
            pass
        server.wait(PATIENCE)
        server.stderr.close()

    def ask(self, method, url, body=None):
        request = urllib.request.Request(url, json.dumps(body).encode() if body else None, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, json.loads(refused.read())

    def test_changes_reach_the_receiver(self):
        to = self.receiver()
        server, url = self.serve(to)
        self.assertEqual(self.ask("POST", url + "/api/students", {"name": "Ada"})[0], 201)
        self.assertEqual(to.next()[2]["reason"], "student created")
        status, made = self.ask("POST", url + "/api/checkins", CHECKIN)
        self.assertEqual((status, made["mood"]), (201, "Great"))
        self.assertEqual(to.next()[2]["reason"], "check-in created")
        self.assertEqual(self.ask("PUT", url + "/api/checkins/1", {**CHECKIN, "mood": "Meh"})[1]["mood"], "Meh")
        self.assertEqual(to.next()[2]["reason"], "check-in changed")
        self.assertEqual(self.ask("DELETE", url + "/api/checkins/1")[0], 204)
        self.assertEqual(to.next()[2]["reason"], "check-in deleted")
        for method, path, body, want in (
            ("POST", "/api/checkins", {**CHECKIN, "student_id": 9}, 422),
            ("POST", "/api/checkins", {**CHECKIN, "mood": "great"}, 422),
            ("POST", "/api/checkins", {**CHECKIN, "moood": "Great"}, 422),
            ("PUT", "/api/checkins/1", CHECKIN, 404),
            ("DELETE", "/api/checkins/1", None, 404),
        ):
            self.assertEqual(self.ask(method, url + path, body)[0], want, (method, path, body))
        self.assertEqual(self.ask("GET", url + "/api/checkins")[1], {"data": []})
        self.assertTrue(to.calls.empty(), "a refused request was told")

    def test_the_last_change_is_sent_before_sigterm_ends_the_process(self):
        to = self.receiver()
        server, url = self.serve(to)
        self.ask("POST", url + "/api/students", {"name": "Ada"})
        self.assertEqual(to.next()[2]["reason"], "student created")
        for _ in range(10):
            self.assertEqual(self.ask("POST", url + "/api/checkins", CHECKIN)[0], 201)
        self.assertEqual(self.ask("DELETE", url + "/api/checkins/1")[0], 204)
        self.end(server)
        reasons = [to.calls.get_nowait()[2]["reason"] for _ in range(to.calls.qsize())]
        self.assertEqual(reasons[-1:], ["check-in deleted"], reasons)
