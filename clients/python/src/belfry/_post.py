"""One attempt to post, with httpx when it is installed, else the standard library."""

from __future__ import annotations

import email.utils
import time
import urllib.error
import urllib.request
from typing import Callable, Dict, Mapping, Optional, Tuple

try:
    import httpx
except ImportError:
    httpx = None  # type: ignore[assignment]

_MOST = 4096  # bytes of an answer that are read

# (status, headers, beginning of the body)
Answer = Tuple[int, Mapping[str, str], bytes]
Transport = Callable[[str, bytes, Dict[str, str], float], Answer]


class PostError(Exception):
    """Why a webhook was not taken."""

    def __init__(self, text: str, status: int = 0, after: float = 0.0) -> None:
        super().__init__(text)
        self.status = status
        self.after = after  # seconds that the receiver wants to be left alone

    @property
    def final(self) -> bool:
        """The same message would be refused again whatever changes at the receiver."""
        return self.status in (400, 410, 413, 415, 422)

    @property
    def refused(self) -> bool:
        """The receiver has to be set up otherwise first."""
        return 300 <= self.status < 500 and self.status not in (408, 425, 429)


def with_urllib(url: str, body: bytes, headers: Dict[str, str], timeout: float) -> Answer:
    request = urllib.request.Request(url, data=body, headers=headers, method="POST")
    try:
        with _opener.open(request, timeout=timeout) as r:
            return r.status, r.headers, r.read(_MOST)
    except urllib.error.HTTPError as e:
        with e:
            return e.code, e.headers, e.read(_MOST)
    except urllib.error.URLError as e:
        raise PostError(f"no answer: {e.reason}") from None
    except Exception as e:  # http.client and sockets have many
        raise PostError(f"no answer: {e or type(e).__name__}") from None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirect)


class WithHttpx:
    """Posts with one httpx.Client, whose connections live on."""

    def __init__(self) -> None:
        self._client = httpx.Client(follow_redirects=False)

    def __call__(self, url: str, body: bytes, headers: Dict[str, str], timeout: float) -> Answer:
        try:
            with self._client.stream("POST", url, content=body, headers=headers, timeout=timeout) as r:
                start = b""
                for chunk in r.iter_bytes():
                    start += chunk
                    if len(start) >= _MOST:
                        break
                return r.status_code, r.headers, start[:_MOST]
        except httpx.HTTPError as e:
            raise PostError(f"no answer: {e or type(e).__name__}") from None

    def close(self) -> None:
        self._client.close()


def default_transport() -> Transport:
    return with_urllib if httpx is None else WithHttpx()


def check(answer: Answer) -> None:
    """Raises PostError unless the answer accepts."""
    status, headers, body = answer
    if 200 <= status < 300:
        return
    text = " ".join(body.decode("utf-8", "replace").split())
    text = "".join(c if c.isprintable() else "\ufffd" for c in text)[:200]
    raise PostError(
        f"the receiver answered {status}" + (f": {text}" if text else ""),
        status,
        _retry_after(headers.get("Retry-After")),
    )


def _retry_after(text: Optional[str]) -> float:
    if not text:
        return 0.0
    try:
        seconds = float(int(text))
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(text).timestamp() - time.time()
        except (TypeError, ValueError):
            return 0.0
    return min(max(seconds, 0.0), 3600.0)
