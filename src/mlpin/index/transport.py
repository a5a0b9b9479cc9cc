"""Bytes over HTTP: retries, credentials, redirects, ranges, limits. The only module that imports httpx.

What an answer means is not known here: a 404 is an answer like any other. What cannot be an answer (no
connection, a refusal, a server that keeps failing) is an `IndexUnavailable` with a way out.
"""

from __future__ import annotations

import hashlib
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, NamedTuple, TypeVar
from urllib.parse import urljoin, urlsplit

from mlpin import __version__
from mlpin.errors import IndexUnavailable
from mlpin.index.url import redacted, split_credentials

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

CONNECTIONS = 16
"""More of them stall HTTP/1.1 on some mirrors; fewer leave the link idle."""
MAX_BODY = 256 << 20
_MAX_REDIRECTS = 10
_MAX_WAIT = 60.0
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})


class Connection(NamedTuple):
    """How to connect: what the settings say, and where credentials may be found."""

    timeout: float = 30.0
    """Seconds without a byte."""
    retries: int = 3
    cert: str | None = None
    client_cert: str | None = None
    proxy: str | None = None
    trusted_hosts: tuple[str, ...] = ()
    keyring: bool = False
    netrc: str | None = None
    credentials: Mapping[str, tuple[str, str]] = MappingProxyType({})
    """User and password by URL prefix."""
    sleep: Callable[[float], None] = time.sleep


class Answer(NamedTuple):
    """An answer as it came. `url` is where it came from after redirects, without credentials."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str


class _BrokenOff(IndexUnavailable):
    """The connection ended in the middle of a body."""


class Transport:
    """Fetches URLs. May be used from many threads."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._clients: dict[tuple[str, bool], httpx.Client] = {}
        self._lock = threading.Lock()
        self._asked: dict[str, tuple[str, str] | None] = {}
        self.requests = 0
        """Requests sent so far, each try counted."""

    def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        limit: int = MAX_BODY,
        span: str = "",
        enough: Callable[[int], bool] | None = None,
    ) -> Answer:
        """The answer to a GET of `url`. `span` is a Range (`bytes=-4096`).

        Where `enough` says no to the status, the body is left unread. Raises `IndexUnavailable` on a
        broken connection, 401, 403, and 429 or 5xx that stay after the retries.
        """
        sent = dict(headers or {})
        if span:
            sent |= {"Range": span, "Accept-Encoding": "identity"}

        def once() -> Answer:
            with self._request("GET", url, sent) as (response, final):
                if enough is not None and not enough(response.status_code):
                    return Answer(response.status_code, response.headers, b"", final)
                return Answer(response.status_code, response.headers, _read(response, limit, final), final)

        return self._whole(once)

    def size(self, url: str) -> int | None:
        """The size of the file at `url` in bytes, as HEAD tells it; None where it does not."""
        try:
            with self._request("HEAD", url, {"Accept-Encoding": "identity"}) as (response, _):
                length = response.headers.get("content-length", "")
                return int(length) if response.status_code == 200 and length.isdecimal() else None
        except IndexUnavailable:
            return None

    def download(self, url: str, file: IO[bytes]) -> tuple[int, str]:
        """Writes the file at `url` into `file`; the status, and where it is 200 the sha256 in hexadecimal."""

        def once() -> tuple[int, str]:
            digest = hashlib.sha256()
            with self._request("GET", url, {"Accept-Encoding": "identity"}) as (response, final):
                if response.status_code != 200:
                    return response.status_code, ""
                file.seek(0)
                file.truncate()
                for chunk in _chunks(response, final):
                    digest.update(chunk)
                    file.write(chunk)
            return 200, digest.hexdigest()

        return self._whole(once)

    def _whole(self, once: Callable[[], T]) -> T:
        """What `once` returns, asked again where the body breaks off."""
        tries = 0
        while True:
            try:
                return once()
            except _BrokenOff:
                tries += 1
                if tries > self._connection.retries:
                    raise
                self._connection.sleep(0.5 * 2**tries)

    def close(self) -> None:
        """Give the connections back."""
        for client in self._clients.values():
            client.close()

    @contextmanager
    def _request(self, method: str, url: str, headers: Mapping[str, str]) -> Iterator[tuple[httpx.Response, str]]:
        import httpx

        try:
            response, final = self._send(method, url, headers)
        except (httpx.InvalidURL, ValueError) as error:
            raise IndexUnavailable(f"this cannot be asked: {error}", where=redacted(url)) from None
        try:
            yield response, final
        finally:
            response.close()

    def _send(self, method: str, url: str, headers: Mapping[str, str]) -> tuple[httpx.Response, str]:
        import httpx

        clean, own = split_credentials(url)
        tries = 0
        redirects = 0
        while True:
            problem: str
            wait = 0.5 * 2**tries
            try:
                client = self._client(clean)
                request = client.build_request(method, clean, headers=dict(headers))
                if login := own or self._login(clean):
                    request.headers["Authorization"] = httpx.BasicAuth(*login)._auth_header  # noqa: SLF001
                self.requests += 1
                response = client.send(request, stream=True)
            except httpx.HTTPError as error:
                problem = _reason(error)
                # A broken proxy or certificate does not mend itself.
                final = isinstance(error, httpx.UnsupportedProtocol) or "certificate" in problem.lower()
            else:
                status = response.status_code
                moved = response.has_redirect_location
                if moved and redirects < _MAX_REDIRECTS:
                    target = urljoin(clean, response.headers.get("location", ""))
                    response.close()
                    target, found = split_credentials(target)
                    # Credentials go to nobody but whom they were given for.
                    own = found or (own if urlsplit(target)[:2] == urlsplit(clean)[:2] else None)
                    clean = target
                    redirects += 1
                    continue
                if status not in _RETRIED:
                    if status in {401, 403, 407}:
                        response.close()
                        raise self._refused(status, clean, bool(own or self._login(clean)))
                    if status >= 500 or moved:
                        response.close()
                        asked = f" ({redirects} redirects)" if moved else ""
                        raise IndexUnavailable(f"the index answered {status}{asked}", where=redacted(clean))
                    return response, clean
                problem, final = f"the index answered {status}", False
                after = response.headers.get("retry-after", "")
                response.close()
                if after:
                    wait = _seconds(after)
            tries += 1
            if final or tries > self._connection.retries or wait > _MAX_WAIT:
                asked = f" ({tries} tries)" if tries > 1 else ""
                raise IndexUnavailable(
                    problem + asked,
                    where=redacted(clean),
                    hint="check the network and the index's URL; with a filled cache, --offline works without it",
                )
            self._connection.sleep(wait)

    def _client(self, url: str) -> httpx.Client:
        parts = urlsplit(url)
        trusted = parts.hostname in self._connection.trusted_hosts or parts.netloc in self._connection.trusted_hosts
        key = (parts.scheme, trusted)
        client = self._clients.get(key)
        if client is None:
            with self._lock:
                client = self._clients.get(key)
                if client is None:
                    client = self._clients[key] = self._new_client(parts.scheme, trusted)
        return client

    def _new_client(self, scheme: str, trusted: bool) -> httpx.Client:
        import httpx

        connection = self._connection
        try:
            if trusted or (scheme == "http" and not connection.proxy):
                # Reading the certificates costs 50 ms; no TLS is spoken here.
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            else:
                context = httpx.create_ssl_context() if not connection.cert else _context(connection.cert)
                if connection.client_cert:
                    context.load_cert_chain(connection.client_cert)
        except (OSError, ssl.SSLError) as error:
            raise IndexUnavailable(
                f"the certificates cannot be read: {error}",
                where=connection.cert,
                hint="check `cert`, SSL_CERT_FILE and pip's `cert`",
            ) from None
        limits = httpx.Limits(max_connections=CONNECTIONS + 2, max_keepalive_connections=CONNECTIONS + 2)
        return httpx.Client(
            verify=context,
            timeout=httpx.Timeout(connection.timeout, pool=None),
            limits=limits,
            proxy=connection.proxy,
            headers={"User-Agent": f"mlpin/{__version__}"},
        )

    def _refused(self, status: int, url: str, had_login: bool) -> IndexUnavailable:
        return IndexUnavailable(
            f"the index answered {status}: " + ("the credentials are refused" if had_login else "it wants credentials"),
            where=redacted(url),
            hint="give them in the index's URL, in netrc, or with `keyring = true`",
        )

    def _login(self, url: str) -> tuple[str, str] | None:
        matching = [prefix for prefix in self._connection.credentials if _same_host(url, prefix)]
        if matching:
            return self._connection.credentials[max(matching, key=lambda prefix: _common(url, prefix))]
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        with self._lock:
            if origin not in self._asked:
                self._asked[origin] = _netrc(self._connection.netrc, parts.hostname or "") or (
                    _keyring(origin) if self._connection.keyring else None
                )
            return self._asked[origin]


def _same_host(url: str, prefix: str) -> bool:
    """Whether a login for `prefix` holds for `url`: the same host (PyPI-style indexes keep files elsewhere on it)."""
    return urlsplit(url)[:2] == urlsplit(prefix)[:2]


def _common(url: str, prefix: str) -> int:
    """How many parts of their paths two URLs share from the start: indexes of one host may have logins of their own."""
    found = 0
    for one, other in zip(url.split("/"), prefix.rstrip("/").split("/"), strict=False):
        if one != other:
            break
        found += 1
    return found


def _context(cert: str) -> ssl.SSLContext:
    import os

    if os.path.isdir(cert):
        return ssl.create_default_context(capath=cert)
    return ssl.create_default_context(cafile=cert)


def _netrc(path: str | None, host: str) -> tuple[str, str] | None:
    if not path:
        return None
    import netrc

    try:
        found = netrc.netrc(path).authenticators(host)
    except (OSError, netrc.NetrcParseError):
        return None
    return (found[0] or "", found[2] or "") if found else None


def _keyring(origin: str) -> tuple[str, str] | None:
    import shutil
    import subprocess

    # The command, not the module: it is mostly installed outside this environment (pip, uv: "subprocess").
    command = shutil.which("keyring")
    if command is None:
        return None
    try:
        found = subprocess.run(
            [command, "--mode", "creds", "get", origin], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
    user, _, password = found.stdout.partition("\n")
    return (user.strip(), password.strip()) if found.returncode == 0 and user.strip() else None


def _seconds(text: str) -> float:
    """Retry-After in seconds: a number, or a date (RFC 9110)."""
    if text.strip().isdecimal():
        return float(text)
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError):
        return 1.0


def _read(response: httpx.Response, limit: int, url: str) -> bytes:
    parts = []
    size = 0
    for chunk in _chunks(response, url):
        size += len(chunk)
        if size > limit:
            raise IndexUnavailable(f"the index's answer is larger than {limit >> 20} MB", where=redacted(url))
        parts.append(chunk)
    return b"".join(parts)


def _chunks(response: httpx.Response, url: str) -> Iterator[bytes]:
    import httpx

    try:
        yield from response.iter_bytes()
    except (httpx.HTTPError, httpx.StreamError) as error:
        raise _BrokenOff(f"the answer broke off: {_reason(error)}", where=redacted(url), hint="try again") from None


def _reason(error: Exception) -> str:
    import httpx

    if isinstance(error, httpx.ConnectTimeout | httpx.ReadTimeout | httpx.WriteTimeout):
        return "no answer in time"
    text = str(error) or type(error).__name__
    if "Name or service not known" in text or "name resolution" in text or "nodename nor servname" in text:
        return "the host's name cannot be resolved"
    if "Connection refused" in text:
        return "the connection was refused"
    return text.partition("\n")[0]
