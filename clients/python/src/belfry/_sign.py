"""The two ways to sign a webhook."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets as random
from typing import Dict, Iterable, List, Sequence

PLAIN, STANDARD = "plain", "standard"


def sign(secret: str, body: bytes) -> str:
    """The value of X-Webhook-Signature: hex HMAC-SHA256 of the raw body.

    Sign the very bytes that are sent: JSON that is written twice differs.
    """
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def sign_standard(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """A signature of Standard Webhooks, with its version.

    A secret that begins with whsec_ is base64 after it; any other is taken as the
    text that it is. Raises ValueError when what follows whsec_ is not base64.
    """
    content = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(_key(secret), content, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def _key(secret: str) -> bytes:
    if not secret.startswith("whsec_"):
        return secret.encode()
    encoded = secret[len("whsec_"):].rstrip("=")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        # Not "from": the cause's text may hold the secret.
        raise ValueError("a secret that begins with whsec_ must be base64 after it") from None
    return key


def headers(schemes: Sequence[str], secrets: Sequence[str], message_id: str, timestamp: int, body: bytes) -> Dict[str, str]:
    """The headers that sign body. Of several secrets the first makes the plain signature."""
    made: Dict[str, str] = {}
    for scheme in schemes:
        if scheme == PLAIN:
            made["X-Webhook-Signature"] = sign(secrets[0], body)
        elif scheme == STANDARD:
            made["webhook-id"] = message_id
            made["webhook-timestamp"] = str(timestamp)
            made["webhook-signature"] = " ".join(sign_standard(s, message_id, timestamp, body) for s in secrets)
        else:
            raise ValueError(f"there is no scheme {scheme!r}: use 'plain' or 'standard'")
    return made


def new_id() -> str:
    return "msg_" + random.token_hex(16)


def parse_secrets(given: "str | Iterable[str]") -> List[str]:
    """One secret, or several parted by commas or in a list, without blank ones."""
    parts = given.split(",") if isinstance(given, str) else given
    return [part.strip() for part in parts if part.strip()]
