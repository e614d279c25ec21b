"""Tell Belfry's dashboards that something changed, with a signed webhook.

    from belfry import notify_dashboard
    notify_dashboard("checkin created")

The first change goes out at once, those that follow quickly as one, the last
always; a thread in the background retries until the receiver takes it.
"""

from ._notify import (
    aclose,
    close,
    configure,
    notify_dashboard,
    notify_dashboard_update,
    notify_laravel_dashboard,
    notify_laravel_dashboard_sync,
)
from ._sender import AsyncSender, Sender
from ._sign import sign, sign_standard

__all__ = [
    "AsyncSender",
    "Sender",
    "aclose",
    "close",
    "configure",
    "notify_dashboard",
    "notify_dashboard_update",
    "notify_laravel_dashboard",
    "notify_laravel_dashboard_sync",
    "sign",
    "sign_standard",
]
