import asyncio
import logging
import os
import time
import unittest
from unittest import mock

from belfry import AsyncSender, Sender
from belfry._post import WithHttpx, with_urllib
from receiver import PATIENCE, Receiver

QUIET = logging.getLogger("belfry.test")
QUIET.addHandler(logging.NullHandler())
QUIET.propagate = False


class Case(unittest.TestCase):
    def receiver(self, **options):
        made = Receiver(**options)
        self.addCleanup(made.close)
        return made

    def sender(self, url, secrets="s3cret", **options):
        options.setdefault("logger", QUIET)
        made = Sender(url, secrets, **options)
        self.addCleanup(made.close, 0)
        return made


class Sending(Case):
    def test_both_transports_are_verified(self):
        for transport in (with_urllib, WithHttpx()):
            for schemes in (("plain",), ("standard",), ("plain", "standard")):
                to = self.receiver()
                s = self.sender(to.url, schemes=schemes, transport=transport)
                self.assertTrue(s.notify("checkin ☃"))
                status, headers, message = to.next()
                self.assertEqual((status, message), (200, {"reason": "checkin ☃", "stats": None, "range": "this_week"}))
                self.assertEqual("X-Webhook-Signature" in headers, "plain" in schemes)
                self.assertTrue(s.close())
        transport.close()

    def test_first_at_once_and_last_always(self):
        to = self.receiver()
        s = self.sender(to.url, debounce=0.5)
        begun = time.monotonic()
        s.notify("change 0")
        self.assertEqual(to.next()[2]["reason"], "change 0")
        for i in range(1, 10):
            s.notify(f"change {i}")
        self.assertEqual(to.next()[2]["reason"], "change 9")
        self.assertGreaterEqual(time.monotonic() - begun, 0.5)
        self.assertTrue(s.flush(PATIENCE))
        self.assertTrue(to.calls.empty())

    def test_tries_again_with_the_same_id(self):
        for transport in (with_urllib, WithHttpx()):
            to = self.receiver(answers=[500, 503, 408])
            s = self.sender(to.url, min_backoff=0.01, max_backoff=0.02, transport=transport)
            s.notify("x")
            calls = [to.next() for _ in range(4)]
            self.assertEqual([c[0] for c in calls], [500, 503, 408, 200])
            self.assertEqual(len({c[1]["webhook-id"] for c in calls}), 1)
            self.assertTrue(s.close(PATIENCE))
        transport.close()

    def test_arrives_when_the_receiver_comes_back(self):
        away = Receiver()
        port = away.port
        away.close()
        for transport in (with_urllib, WithHttpx()):
            with self.assertLogs("belfry.away", "WARNING") as log:
                s = self.sender(away.url, min_backoff=0.01, max_backoff=0.05, transport=transport, logger=logging.getLogger("belfry.away"))
                s.notify("first")
                while not log.records:
                    s.flush(0.01)
            s.notify("second")
            to = Receiver(port=port)
            # The first may be on its way at that very moment; the last always comes.
            while to.next()[2]["reason"] != "second":
                pass
            self.assertTrue(s.close(PATIENCE))
            to.close()
            self.assertNotIn("s3cret", "".join(log.output))
        transport.close()

    def test_refused_for_good(self):
        to = self.receiver(answers=[422])
        with self.assertLogs("belfry.given", "ERROR") as log:
            s = self.sender(to.url, logger=logging.getLogger("belfry.given"))
            s.notify("x")
            self.assertTrue(s.flush(PATIENCE))
        self.assertIn("given up: the receiver answered 422: said", log.output[0])

    def test_grows_too_old(self):
        to = self.receiver(answers=[500] * 1000)
        s = self.sender(to.url, min_backoff=0.01, max_backoff=0.01, limit=0.05)
        s.notify("x")
        self.assertTrue(s.flush(PATIENCE))

    def test_follows_no_redirect(self):
        for transport in (with_urllib, WithHttpx()):
            to = self.receiver(answers=[302])
            s = self.sender(to.url, min_backoff=0.01, max_backoff=0.01, transport=transport)
            s.notify("x")
            self.assertEqual([to.next()[0], to.next()[0]], [302, 200])
            s.close(PATIENCE)
        transport.close()

    def test_other_secret_while_rotating(self):
        for known in ("new", "old"):
            to = self.receiver(secret=known)
            s = self.sender(to.url, "new, old", schemes=("plain",), max_backoff=60.0)
            s.notify("x")
            self.assertTrue(s.flush(PATIENCE))
            self.assertTrue(s.close(PATIENCE))

    def test_close_sends_what_waits(self):
        to = self.receiver()
        s = self.sender(to.url, debounce=3600.0)
        s.notify("first")
        to.next()
        s.notify("second")
        self.assertTrue(s.close(PATIENCE))
        self.assertEqual(to.next()[2]["reason"], "second")
        self.assertFalse(s.notify("third"))

    def test_close_ends_in_time(self):
        to = self.receiver(answers=[500] * 1000)
        s = self.sender(to.url)
        s.notify("x")
        self.assertFalse(s.close(0.2))

    def test_a_transport_that_breaks_does_not_end_the_thread(self):
        to = self.receiver()
        tries = []

        def breaks(*args):
            tries.append(args)
            if len(tries) == 1:
                raise RuntimeError("broken")
            return with_urllib(*args)

        s = self.sender(to.url, transport=breaks, min_backoff=0.01)
        s.notify("x")
        self.assertEqual(to.next()[0], 200)

    def test_a_transport_that_cannot_be_made_at_first(self):
        to = self.receiver()
        with mock.patch("belfry._sender.default_transport", side_effect=[OSError("no certificates"), with_urllib]):
            s = self.sender(to.url, min_backoff=0.01)
            s.notify("x")
            self.assertEqual(to.next()[0], 200)
            self.assertTrue(s.close(PATIENCE))

    def test_long_reason(self):
        to = self.receiver()
        self.sender(to.url).notify("é" * 5000)
        self.assertLess(len(to.next()[2]["reason"].encode()), 510)


class SetUp(Case):
    def test_says_once_what_is_missing(self):
        for env, says in (
            ({}, "LARAVEL_WEBHOOK_URL (or BELFRY_WEBHOOK_URL) and SERVICES_WEBHOOK_SHARED_SECRET is missing"),
            ({"BELFRY_WEBHOOK_URL": "http://receiver.test"}, "changes: SERVICES_WEBHOOK_SHARED_SECRET is missing"),
            ({"SERVICES_WEBHOOK_SHARED_SECRET": "s3cret"}, "changes: LARAVEL_WEBHOOK_URL (or BELFRY_WEBHOOK_URL) is missing"),
        ):
            with mock.patch.dict(os.environ, env, clear=True), self.assertLogs("belfry", "ERROR") as log:
                s = Sender()
                self.assertEqual([s.notify("x") for _ in range(3)], [False] * 3)
                self.assertTrue(s.close())
            self.assertEqual(len(log.output), 1)
            self.assertIn(says, log.output[0])

    def test_reads_the_environment(self):
        to = self.receiver(secret="new")
        env = {"LARAVEL_WEBHOOK_URL": to.url, "BELFRY_WEBHOOK_URL": "http://two.test", "SERVICES_WEBHOOK_SHARED_SECRET": "new,old"}
        with mock.patch.dict(os.environ, env):
            s = Sender()
        self.assertTrue(s.notify("x", range="today"))
        self.assertEqual(to.next()[2]["range"], "today")
        self.assertTrue(s.close(PATIENCE))

    def test_refuses_what_it_cannot_use(self):
        for url, secret, schemes in (
            ("receiver.test/path", "x", ("plain",)),
            ("ftp://receiver.test", "x", ("plain",)),
            ("http://", "x", ("plain",)),
            ("http://receiver.test", "whsec_!", ("standard",)),
            ("http://receiver.test", "x", ("none",)),
        ):
            with self.assertRaises(ValueError):
                Sender(url, secret, schemes=schemes)


class Coroutines(Case):
    def test_async_sender(self):
        to = self.receiver()

        async def main():
            async with AsyncSender(to.url, "s3cret") as s:
                self.assertTrue(await s.notify("x"))
                self.assertTrue(await s.flush(PATIENCE))
            self.assertFalse(await s.notify("y"))

        asyncio.run(main())
        self.assertEqual(to.next()[2]["reason"], "x")
