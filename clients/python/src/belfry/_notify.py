"""One sender for the process, set up by the environment, and its usual names."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from typing import Any, Optional

from ._sender import AsyncSender, Sender

_lock = threading.Lock()  # guards the next
_default: Optional[AsyncSender] = None


def configure(**options: Any) -> Sender:
    """Replace the process's sender by one with other options, those of Sender."""
    global _default
    made = AsyncSender(**options)
    with _lock:
        before, _default = _default, made
    if before:
        before.sender.close(0)
    return made.sender


def _sender() -> AsyncSender:
    global _default
    with _lock:
        if _default is None:
            _default = AsyncSender()
        return _default


def notify_dashboard(reason: str = "update", stats: Any = None, range: Optional[str] = None) -> bool:
    """Tell the dashboards that something changed, and return at once.

    The figures are computed by the receiver: stats is taken for the sake of old
    callers, and not sent. False means that the sender is not set up.
    """
    return _sender().sender.notify(reason, range)


def notify_laravel_dashboard_sync(reason: str = "update", stats: Any = None, range: Optional[str] = None) -> bool:
    """notify_dashboard by its older name."""
    return notify_dashboard(reason, stats, range)


async def notify_laravel_dashboard(reason: str = "update", stats: Any = None, range: Optional[str] = None) -> bool:
    """notify_dashboard as a coroutine, by its older name."""
    return await _sender().notify(reason, range)


async def notify_dashboard_update(reason: str = "update", stats: Any = None, range: Optional[str] = None) -> bool:
    """notify_dashboard as a coroutine, by its older name."""
    return await _sender().notify(reason, range)


def close(timeout: float = 2.0) -> bool:
    """Send what waits; the next change starts a new sender.

    It is called by itself when the process ends, but not when a signal ends it, as
    uvicorn lets SIGTERM do: there call aclose in the application's lifespan, or
    have an outbox.
    """
    global _default
    with _lock:
        before, _default = _default, None
    return before.sender.close(timeout) if before else True


async def aclose(timeout: float = 2.0) -> bool:
    """close as a coroutine, for the end of an application's lifespan."""
    return await asyncio.get_running_loop().run_in_executor(None, close, timeout)


atexit.register(close)


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()  # the parent's may have been held


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
