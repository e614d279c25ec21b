"""What outlives a process, and what it does at its end."""

import asyncio
import inspect
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

import belfry
from belfry import Sender
from receiver import PATIENCE, Receiver
from test_sender import QUIET, Case

SOURCE = str(pathlib.Path(__file__).resolve().parents[1] / "src")


def python(code, url, *args, **options):
    env = {**os.environ, "PYTHONPATH": SOURCE, "LARAVEL_WEBHOOK_URL": url, "SERVICES_WEBHOOK_SHARED_SECRET": "s3cret"}
    return subprocess.Popen([sys.executable, "-c", code, *args], env=env, stdout=subprocess.PIPE, text=True, **options)


class Names(Case):
    def test_are_coroutines_where_theirs_are(self):
        for name, coroutine in (
            ("notify_dashboard", False),
            ("notify_laravel_dashboard_sync", False),
            ("notify_laravel_dashboard", True),
            ("notify_dashboard_update", True),
        ):
            to = self.receiver()
            do = getattr(belfry, name)
            self.assertEqual(inspect.iscoroutinefunction(do), coroutine, name)
            env = {"LARAVEL_WEBHOOK_URL": to.url, "SERVICES_WEBHOOK_SHARED_SECRET": "s3cret"}
            with mock.patch.dict(os.environ, env):
                belfry.close()
                answer = do(name, {"students_monitored": 1})
                self.assertTrue(asyncio.run(answer) if coroutine else answer)
            self.assertEqual(to.next()[2], {"reason": name, "stats": None, "range": "this_week"})
            self.assertTrue(belfry.close(PATIENCE))

    def test_configure(self):
        to = self.receiver()
        belfry.configure(url=to.url, secrets="s3cret", range="today")
        self.assertTrue(belfry.notify_dashboard("x"))
        self.assertEqual(to.next()[2]["range"], "today")
        self.assertTrue(belfry.close(PATIENCE))


class Ends(Case):
    def test_a_process_that_ends_sends_first(self):
        to = self.receiver()
        code = "import belfry; belfry.notify_dashboard('first'); belfry.notify_dashboard('last')"
        with python(code, to.url) as process:
            self.assertEqual(process.wait(PATIENCE), 0)
        reasons = []
        while not reasons or reasons[-1] != "last":
            reasons.append(to.next()[2]["reason"])

    @unittest.skipUnless(hasattr(os, "fork"), "there is no fork here")
    def test_a_forked_process_sends_too(self):
        to = self.receiver()
        code = (
            "import belfry, os; s = belfry.configure(); s.notify('parent'); s.flush(30); child = os.fork()\n"
            "if child == 0: belfry.notify_dashboard('child'); belfry.close(30); os._exit(0)\n"
            "os.waitpid(child, 0)"
        )
        with python(code, to.url) as process:
            self.assertEqual(process.wait(PATIENCE), 0)
        self.assertEqual([to.next()[2]["reason"], to.next()[2]["reason"]], ["parent", "child"])


class Outbox(Case):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = os.path.join(folder.name, "made", "here")

    def sender(self, url, **options):
        return super().sender(url, outbox=self.folder, **options)

    def test_outlives_a_killed_process(self):
        down = self.receiver(answers=[500] * 1000)
        code = "import belfry, sys; belfry.configure(outbox=sys.argv[1]); belfry.notify_dashboard('kept'); print('noted', flush=True); sys.stdin.read()"
        with python(code, down.url, self.folder, stdin=subprocess.PIPE) as process:
            self.assertEqual(process.stdout.readline(), "noted\n")
            process.send_signal(signal.SIGKILL)
        to = self.receiver()
        s = self.sender(to.url)
        self.assertEqual(to.next()[2]["reason"], "kept")
        self.assertTrue(s.close(PATIENCE))
        again = self.sender(to.url)
        self.assertTrue(again.close(PATIENCE))
        self.assertTrue(to.calls.empty())

    def test_senders_share_a_folder(self):
        down, to = self.receiver(answers=[500] * 1000), self.receiver()
        first, second = self.sender(down.url), self.sender(down.url)
        first.notify("of the first")
        down.next()
        second.notify("of the second")
        third = self.sender(to.url)
        self.assertTrue(third.close(PATIENCE))
        self.assertTrue(to.calls.empty(), "took what living senders have")
        self.assertFalse(first.close(0))
        self.assertFalse(second.close(0))
        fourth = self.sender(to.url)
        self.assertEqual(to.next()[2]["reason"], "of the second")
        self.assertTrue(fourth.close(PATIENCE))
        self.assertTrue(to.calls.empty())

    def test_reads_what_a_crash_left(self):
        down = self.receiver(answers=[500] * 1000)
        s = self.sender(down.url)
        s.notify("kept")
        self.assertFalse(s.close(0))
        path = os.path.join(self.folder, "outbox-00.log")
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        with open(path, "rb") as f:
            text = f.read()
        whole = len(text.rstrip(b"\n"))
        taken = []
        for n in range(len(text) + 1):
            for tail in (b"", b"\0\0", b'{"n":', b"[]\n"):
                with open(path, "wb") as f:
                    f.write(text[:n] + tail)
                with Sender("http://receiver.test", "s3cret", outbox=self.folder, logger=QUIET,
                            transport=lambda *_: taken.append(1) or (200, {}, b"")):
                    pass
                want = 1 if n > whole or (n == whole and tail == b"") else 0
                self.assertEqual(len(taken), want, (n, tail))
                taken.clear()

    def test_stays_small(self):
        calls = []

        def fails(*_):
            calls.append(1)
            s.notify("long " * 90 + str(len(calls)))  # during an attempt
            return (500, {}, b"") if len(calls) < 400 else (200, {}, b"")

        s = self.sender("http://receiver.test", transport=fails, min_backoff=0.0, max_backoff=0.0, debounce=0.0)
        s.notify("x")
        path = os.path.join(self.folder, "outbox-00.log")
        largest = 0
        while len(calls) < 400:
            s.flush(0.001)
            largest = max(largest, os.stat(path).st_size)
        self.assertLess(largest, 66 << 10)
        self.assertTrue(s.close(PATIENCE))
