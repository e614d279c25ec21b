import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import urllib.request

from receiver import PATIENCE
from test_sender import Case

ROOT = pathlib.Path(__file__).resolve().parents[1]


class Example(Case):
    """The example in a real FastAPI, served by a real uvicorn."""

    def test_a_checkin_reaches_the_receiver(self):
        to = self.receiver()
        env = {
            **os.environ,
            "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT / 'examples'}",
            "LARAVEL_WEBHOOK_URL": to.url,
            "SERVICES_WEBHOOK_SHARED_SECRET": "s3cret",
        }
        command = [sys.executable, "-m", "uvicorn", "fastapi_app:app", "--port", "0"]
        with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as server:
            try:
                for line in server.stderr:
                    found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
                    if found:
                        break
                url = f"http://127.0.0.1:{found[1]}/api/checkins"
                self.check_in(url, 0)
                self.assertEqual(to.next()[2]["reason"], "checkin created")
                for student in range(1, 11):
                    self.check_in(url, student)
            finally:
                server.send_signal(signal.SIGTERM)  # what waits is sent at the end
                for _ in server.stderr:
                    pass
                server.wait(PATIENCE)
        # The first at once and the last in the end, not one for each.
        self.assertEqual(to.next()[0], 200)
        self.assertLess(to.calls.qsize(), 5)

    def check_in(self, url, student):
        request = urllib.request.Request(url, json.dumps({"student": student}).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            self.assertEqual(answer.status, 201)
