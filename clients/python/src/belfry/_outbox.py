"""What is not sent yet, in a file that outlives the process."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Optional, Tuple

_MAX_FILE = 64 << 10
_MAX_PROCESSES = 64


@dataclass
class Change:
    """One message to be. It stands for all changes since at."""

    at: float
    reason: str
    range: str
    n: int = 0  # in the outbox
    id: str = ""  # of the message, once it was tried


def _try_lock(path: str) -> Optional[int]:
    """A locked file's descriptor, or None when another process has the lock."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            import fcntl
        except ImportError:
            import msvcrt

            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        return None
    return fd


class Outbox:
    """A file of this process's own in a folder that up to 64 may share.

    The operating system gives the file's lock back when its process ends, however
    it ends; whoever opens the folder takes over what the dead left. The files are
    those of Belfry's Go package, so both may share a folder where both lock with
    flock. Methods are called one at a time.
    """

    def __init__(self, folder: str) -> None:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        self._folder = folder
        self._slot = -1
        self._lock = -1
        self._fd = -1
        self._size = 0
        self._last = 0
        self.waiting: Optional[Change] = None  # what was found
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _path(self, slot: int, kind: str) -> str:
        return os.path.join(self._folder, f"outbox-{slot:02d}.{kind}")

    def _open(self) -> None:
        for slot in range(_MAX_PROCESSES):
            if self._slot >= 0 and not os.path.exists(self._path(slot, "lock")):
                break  # files are taken in order
            lock = _try_lock(self._path(slot, "lock"))
            if lock is None:
                continue
            try:
                left, last = _read(self._path(slot, "log"))
                self.waiting = _newer(self.waiting, left)
                if self._slot < 0:
                    self._slot, self._lock, self._last = slot, lock, last
                elif left is not None:  # keep it before it goes from there
                    self._rewrite(self.waiting)
                    os.truncate(self._path(slot, "log"), 0)
            finally:
                if lock != self._lock:
                    os.close(lock)
        if self._slot < 0:
            raise OSError(f"{_MAX_PROCESSES} processes use the folder {self._folder} already")
        self._rewrite(self.waiting)

    def add(self, change: Change) -> None:
        """Write a change down, through to the disk, and number it."""
        if self._size > _MAX_FILE:
            self._rewrite(change)
            return
        self._number(change)
        self._write(_line(change))
        os.fsync(self._fd)

    def done(self, n: int, waiting: Optional[Change]) -> None:
        """Write down that all changes up to number n are sent."""
        if waiting is not None:
            self._write({"done": n})
        elif self._size:
            os.ftruncate(self._fd, 0)
            self._size = 0

    def _number(self, change: Change) -> None:
        self._last += 1
        change.n = self._last

    def _write(self, record: dict) -> None:
        # On a line of its own, whatever an earlier try left behind.
        text = b"\n" + json.dumps(record, separators=(",", ":")).encode() + b"\n"
        self._size += os.write(self._fd, text)

    def _rewrite(self, waiting: Optional[Change]) -> None:
        path = self._path(self._slot, "log")
        text = b""
        if waiting is not None:
            self._number(waiting)
            text = json.dumps(_line(waiting), separators=(",", ":")).encode() + b"\n"
        fd = os.open(path + ".new", os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        try:
            os.write(fd, text)
            os.fsync(fd)
        finally:
            os.close(fd)
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        os.replace(path + ".new", path)
        self._fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        self._size = len(text)

    def close(self) -> None:
        for fd in (self._fd, self._lock):
            if fd >= 0:
                os.close(fd)
        self._fd = self._lock = -1


def _line(change: Change) -> dict:
    return {"n": change.n, "at": int(change.at * 1000), "reason": change.reason, "range": change.range}


def _newer(a: Optional[Change], b: Optional[Change]) -> Optional[Change]:
    """What stands for both: the later reason, waiting since the earlier time."""
    if a is None or b is None:
        return b if a is None else a
    first, last = sorted((a, b), key=lambda c: c.at)
    last.at = first.at
    return last


def _read(path: str) -> Tuple[Optional[Change], int]:
    """The change that waits in a file, if any, and the last number in it."""
    try:
        with open(path, "rb") as f:
            text = f.read(4 * _MAX_FILE)
    except FileNotFoundError:
        return None, 0
    waiting: Optional[Change] = None
    last = 0
    for part in text.split(b"\n"):
        try:
            record = json.loads(part)
            n, done = int(record.get("n", 0)), int(record.get("done", 0))
            at, reason, period = int(record.get("at", 0)) / 1000, str(record.get("reason", "")), str(record.get("range", ""))
        except (ValueError, AttributeError, TypeError):
            continue  # cut off, or not ours
        last = max(last, n, done)
        if n:
            waiting = Change(waiting.at if waiting else at, reason, period, n)
        elif waiting and done >= waiting.n:
            waiting = None
    return waiting, last
