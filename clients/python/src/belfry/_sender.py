"""The sender: a thread that posts what changed."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import threading
import time
import urllib.parse
from typing import Iterable, Optional, Sequence, Union

from ._outbox import Change, Outbox
from ._post import PostError, Transport, check, default_transport
from ._sign import PLAIN, STANDARD, headers, new_id, parse_secrets

URL_VARIABLES = ("LARAVEL_WEBHOOK_URL", "BELFRY_WEBHOOK_URL")
SECRET_VARIABLE = "SERVICES_WEBHOOK_SHARED_SECRET"
_MAX_REASON = 500  # bytes


class Sender:
    """Tells a receiver that something changed.

    A message does not say what: the receiver looks for itself, so one stands for
    all changes before it, and only the last has to arrive. The first change after
    a quiet time goes out at once; those that follow within `debounce` seconds go
    out as one at its end. What cannot be sent is tried again, with pauses from
    `min_backoff` to `max_backoff` seconds, for `limit` seconds. With `outbox`, a
    folder, it outlives the process.

    Without url and secrets those of the environment count; when one is missing
    the sender says so once, as an error in the log, and does nothing. Methods may
    be called from any thread, and after a fork.
    """

    def __init__(
        self,
        url: Optional[str] = None,
        secrets: Union[str, Iterable[str], None] = None,
        *,
        range: str = "this_week",
        schemes: Sequence[str] = (PLAIN, STANDARD),
        debounce: float = 0.3,
        timeout: float = 5.0,
        min_backoff: float = 0.2,
        max_backoff: float = 10.0,
        limit: float = 86400.0,
        outbox: Optional[str] = None,
        logger: Optional[logging.Logger] = None,
        transport: Optional[Transport] = None,
    ) -> None:
        if url is None:
            url = next((os.environ[v] for v in URL_VARIABLES if os.environ.get(v)), "")
        self._secrets = parse_secrets(os.environ.get(SECRET_VARIABLE, "") if secrets is None else secrets)
        self._url = url.strip()
        self._range, self._schemes, self._debounce, self._timeout = range, tuple(schemes), debounce, timeout
        self._min_backoff, self._max_backoff, self._limit = min_backoff, max(min_backoff, max_backoff), limit
        self._folder, self._given_transport = outbox, transport
        self._log = logger or logging.getLogger("belfry")
        self.configured = bool(self._url and self._secrets)
        if self.configured:
            parts = urllib.parse.urlsplit(self._url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError("the webhook's URL must begin with http:// or https:// and name a host")
            headers(self._schemes, self._secrets, "msg", 0, b"")  # raises for what cannot sign
        else:
            self._say_missing()
        self._begin()

    def _begin(self) -> None:
        """What belongs to this process alone."""
        self._changed = threading.Condition()  # guards what follows
        self._waiting: Optional[Change] = None
        self._sending = False
        self._closed = False
        self._stop_at: Optional[float] = None  # set by close
        self._thread: Optional[threading.Thread] = None
        self._transport: Optional[Transport] = None
        self._last_error = ""
        self._outbox: Optional[Outbox] = None
        if self.configured and self._folder:
            self._outbox = Outbox(self._folder)
            self._waiting = self._outbox.waiting
            if self._waiting:
                self._start()
        self._pid = os.getpid()  # last: from here on it counts as ready

    def _say_missing(self) -> None:
        missing = [] if self._url else [f"{URL_VARIABLES[0]} (or {URL_VARIABLES[1]})"]
        if not self._secrets:
            missing.append(SECRET_VARIABLE)
        self._log.error(
            "dashboards will NOT be told of changes: %s is missing. Set it and start again.", " and ".join(missing)
        )

    def notify(self, reason: str = "update", range: Optional[str] = None) -> bool:
        """Take note that something changed, and return at once.

        With an outbox it returns when the change is on the disk. It never raises:
        an application's own work does not fail for a dashboard. False means that
        the change is not sent: the sender is not set up, or closed.
        """
        if not self.configured:
            return False
        if self._pid != os.getpid():
            self._after_fork()
        reason = _clip(str(reason))
        with self._changed:
            if self._closed:
                return False
            if self._waiting is not None:
                # Another message than the one that may have been tried.
                self._waiting.reason, self._waiting.range, self._waiting.id = reason, range or self._range, ""
            else:
                self._waiting = Change(time.time(), reason, range or self._range)
                if self._outbox:
                    try:
                        self._outbox.add(self._waiting)
                    except OSError as e:
                        self._log.error("the webhook outbox cannot be written, a change would not outlive this process: %s", e)
            self._start()
            self._changed.notify_all()
        return True

    def _after_fork(self) -> None:
        with _fork_lock:
            if self._pid == os.getpid():
                return  # another thread was first
            if self._outbox:
                self._outbox.close()  # the parent still has it
            self._begin()

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="belfry-webhook", daemon=True)
            self._thread.start()

    def flush(self, timeout: Optional[float] = None) -> bool:
        """Wait until nothing waits to be sent; False when that takes too long."""
        with self._changed:
            return self._changed.wait_for(lambda: self._waiting is None and not self._sending, timeout)

    def close(self, timeout: float = 5.0) -> bool:
        """Take no more changes, and send what waits, without debounce, for up to
        timeout seconds. False means that a change was not sent; it stays in the
        outbox, if there is one."""
        if self._pid != os.getpid():
            return True  # what waits is the parent's
        deadline = time.monotonic() + timeout
        with self._changed:
            self._closed, self._stop_at = True, deadline
            self._changed.notify_all()
            thread = self._thread
        if thread:
            # An attempt under way ends by its own time limit: no longer than that.
            thread.join(timeout + 0.5)
        with self._changed:
            done = self._waiting is None and not self._sending
            if self._outbox and not (thread and thread.is_alive()):
                self._outbox.close()
                self._outbox = None
        return done

    def __enter__(self) -> "Sender":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # The thread.

    def _run(self) -> None:
        failures = 0
        try:
            while self._await_change():
                begun = time.monotonic()
                error = self._attempt()
                if error is None:
                    failures = 0
                    self._pause(begun + self._debounce - time.monotonic(), ends_with_close=True)
                else:
                    failures += 1
                    # Whoever closes wants one more attempt before the end.
                    self._pause(self._backoff(failures, error), ends_with_close=not self._closed)
        except BaseException:
            self._log.exception("the webhook sender's thread broke; the next change starts another")
            raise
        finally:
            close = getattr(self._transport, "close", None)
            self._transport = None
            if close and not self._given_transport:
                close()
            with self._changed:
                self._thread, self._sending = None, False
                self._changed.notify_all()

    def _await_change(self) -> bool:
        with self._changed:
            while self._waiting is None:
                if self._closed:
                    return False
                self._changed.wait()
            return self._stop_at is None or time.monotonic() < self._stop_at

    def _pause(self, seconds: float, ends_with_close: bool) -> None:
        end = time.monotonic() + seconds
        with self._changed:
            while True:
                left = min(end, self._stop_at if self._stop_at is not None else end) - time.monotonic()
                if left <= 0 or (ends_with_close and self._closed):
                    return
                self._changed.wait(left)

    def _backoff(self, failures: int, error: PostError) -> float:
        longest = self._max_backoff
        if not error.refused:
            longest = min(longest, self._min_backoff * 2 ** min(failures - 1, 20))
        return max(longest * random.uniform(0.5, 1.0), error.after)

    def _attempt(self) -> Optional[PostError]:
        """Post what waits. What comes meanwhile waits for the next attempt."""
        with self._changed:
            change = self._waiting
            assert change is not None
            change.id = change.id or new_id()
            self._waiting, self._sending = None, True
            timeout = self._timeout
            if self._stop_at is not None:
                timeout = max(0.05, min(timeout, self._stop_at - time.monotonic()))
        body = json.dumps(
            {"reason": change.reason, "stats": None, "range": change.range}, separators=(",", ":")
        ).encode()
        error: Optional[PostError] = None
        try:
            self._post(change.id, body, timeout)
        except PostError as e:
            error = e
        except Exception as e:  # of a transport, or of making one: the thread must live on
            error = PostError(f"no answer: {e!r}")
        with self._changed:
            self._judge(change, error)
            self._sending = False
            self._changed.notify_all()
        return error

    def _post(self, message_id: str, body: bytes, timeout: float) -> None:
        """A refusal as unsigned is tried again with the next secret: in the middle
        of a rotation the receiver may know only one of them."""
        if self._transport is None:
            self._transport = self._given_transport or default_transport()
        for tried in range_(len(self._secrets)):
            signed = headers(self._schemes, self._secrets, message_id, int(time.time()), body)
            signed["Content-Type"], signed["User-Agent"] = "application/json", "belfry-python/1"
            try:
                check(self._transport(self._url, body, signed, timeout))
                return
            except PostError as e:
                if e.status not in (401, 403) or tried + 1 == len(self._secrets):
                    raise
                self._secrets = self._secrets[1:] + self._secrets[:1]

    def _judge(self, change: Change, error: Optional[PostError]) -> None:
        if error is None:
            if self._last_error:
                self._log.info("the webhook receiver takes messages again")
            self._last_error = ""
            self._covered(change)
            return
        before, self._last_error = self._last_error, str(error)
        if error.final or time.time() - change.at > self._limit:
            self._log.error("a dashboard was not told of a change, the webhook is given up: %s", error)
            self._covered(change)
            return
        if self._last_error != before:  # not each time
            self._log.warning("the webhook could not be sent and is tried again until it is taken: %s", error)
        if self._waiting is None:
            self._waiting = change
        else:
            self._waiting.at = change.at

    def _covered(self, change: Change) -> None:
        if self._outbox:
            try:
                self._outbox.done(change.n, self._waiting)
            except OSError as e:
                self._log.warning("the webhook outbox cannot be written, a change may be sent twice: %s", e)


class AsyncSender:
    """A Sender for coroutines: nothing here blocks the event loop."""

    def __init__(self, *args: object, **options: object) -> None:
        self.sender = Sender(*args, **options)  # type: ignore[arg-type]

    async def notify(self, reason: str = "update", range: Optional[str] = None) -> bool:
        if self.sender._folder:  # a disk may be slow
            return await _in_thread(self.sender.notify, reason, range)
        return self.sender.notify(reason, range)

    async def flush(self, timeout: Optional[float] = None) -> bool:
        return await _in_thread(self.sender.flush, timeout)

    async def close(self, timeout: float = 5.0) -> bool:
        return await _in_thread(self.sender.close, timeout)

    async def __aenter__(self) -> "AsyncSender":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def _in_thread(do, *args):  # type: ignore[no-untyped-def]
    return await asyncio.get_running_loop().run_in_executor(None, do, *args)


range_ = range  # a parameter above has its name

_fork_lock = threading.Lock()


def _new_fork_lock() -> None:
    global _fork_lock
    _fork_lock = threading.Lock()  # the parent's may have been held


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_fork_lock)


def _clip(text: str) -> str:
    raw = text.encode("utf-8", "replace")
    return text if len(raw) <= _MAX_REASON else raw[:_MAX_REASON].decode("utf-8", "ignore") + "…"
