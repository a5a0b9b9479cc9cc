"""Bytes over HTTP: retries, credentials, redirects, ranges, limits. The only module that imports urllib3.

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
from mlpin.errors import IndexUnavailable, InputError
from mlpin.index.credentials import Login, Logins, proxy_for
from mlpin.index.url import redacted, split_credentials

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

T = TypeVar("T")

CONNECTIONS = 16
"""To one host at a time; more of them stall some mirrors, fewer leave the link idle."""
MAX_BODY = 256 << 20
_CHUNK = 1 << 18
_MAX_REDIRECTS = 10
_MAX_WAIT = 60.0
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


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
    credentials: Mapping[str, Login] = MappingProxyType({})
    """By URL prefix."""
    environ: Mapping[str, str] = MappingProxyType({})
    """For the variables that name proxies."""
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
        self._logins = Logins(connection.credentials, connection.netrc, keyring=connection.keyring)
        self._pools: dict[tuple[str, bool, str | None], PoolManager] = {}
        self._lock = threading.Lock()
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
                if enough is not None and not enough(response.status):
                    return Answer(response.status, response.headers, b"", final)
                return Answer(response.status, response.headers, _read(response, limit, final), final)

        return self._whole(once)

    def size(self, url: str) -> int | None:
        """The size of the file at `url` in bytes, as HEAD tells it; None where it does not."""
        try:
            with self._request("HEAD", url, {"Accept-Encoding": "identity"}) as (response, _):
                length = response.headers.get("content-length", "")
                return int(length) if response.status == 200 and length.isdecimal() else None
        except IndexUnavailable:
            return None

    def download(self, url: str, file: IO[bytes]) -> tuple[int, str]:
        """Writes the file at `url` into `file`; the status, and where it is 200 the sha256 in hexadecimal."""

        def once() -> tuple[int, str]:
            digest = hashlib.sha256()
            with self._request("GET", url, {"Accept-Encoding": "identity"}) as (response, final):
                if response.status != 200:
                    return response.status, ""
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
        for pool in self._pools.values():
            pool.clear()

    @contextmanager
    def _request(self, method: str, url: str, headers: Mapping[str, str]) -> Iterator[tuple[BaseHTTPResponse, str]]:
        response, final = self._send(method, url, headers)
        try:
            yield response, final
        finally:
            _let_go(response)

    def _send(self, method: str, url: str, headers: Mapping[str, str]) -> tuple[BaseHTTPResponse, str]:
        from urllib3.exceptions import HTTPError, LocationParseError, LocationValueError

        clean, own = split_credentials(url)
        tries = redirects = 0
        while True:
            _check(clean)
            wait = 0.5 * 2**tries
            login = own or self._logins.find(clean)
            sent = {"Accept-Encoding": "gzip", "User-Agent": f"mlpin/{__version__}", **headers}
            if login:
                sent["Authorization"] = _basic(login)
            try:
                self.requests += 1
                response = self._pool(clean).request(
                    method, clean, headers=sent, preload_content=False, redirect=False, retries=False
                )
            except (LocationParseError, LocationValueError, ValueError) as error:
                raise IndexUnavailable(f"this cannot be asked: {error}", where=redacted(clean)) from None
            except (HTTPError, OSError) as error:
                problem = _reason(error)
                # A broken certificate does not mend itself.
                final = "certificate" in problem.lower()
            else:
                status = response.status
                location = response.headers.get("location", "")
                moved = status in _REDIRECTS and bool(location)
                if moved and redirects < _MAX_REDIRECTS:
                    _let_go(response)
                    target, found = split_credentials(_joined(clean, location))
                    # Credentials go to nobody but whom they were given for.
                    own = found or (own if urlsplit(target)[:2] == urlsplit(clean)[:2] else None)
                    clean = target
                    redirects += 1
                    continue
                if status not in _RETRIED:
                    if status < 500 and not moved and status not in {401, 403, 407}:
                        return response, clean
                    _let_go(response)
                    if status in {401, 403, 407}:
                        raise _refused(status, clean, had_login=login is not None)
                    asked = f" ({redirects} redirects)" if moved else ""
                    raise IndexUnavailable(f"the index answered {status}{asked}", where=redacted(clean))
                problem, final = f"the index answered {status}", False
                if after := response.headers.get("retry-after", ""):
                    wait = _seconds(after)
                _let_go(response)
            tries += 1
            if final or tries > self._connection.retries or wait > _MAX_WAIT:
                asked = f" ({tries} tries)" if tries > 1 else ""
                raise IndexUnavailable(
                    problem + asked,
                    where=redacted(clean),
                    hint="check the network and the index's URL; with a filled cache, --offline works without it",
                )
            self._connection.sleep(wait)

    def _pool(self, url: str) -> PoolManager:
        parts = urlsplit(url)
        trusted = parts.hostname in self._connection.trusted_hosts or parts.netloc in self._connection.trusted_hosts
        proxy = self._connection.proxy or proxy_for(url, self._connection.environ)
        key = (parts.scheme, trusted, proxy)
        pool = self._pools.get(key)
        if pool is None:
            with self._lock:
                pool = self._pools.get(key)
                if pool is None:
                    pool = self._pools[key] = self._new_pool(parts.scheme, trusted=trusted, proxy=proxy)
        return pool

    def _new_pool(self, scheme: str, *, trusted: bool, proxy: str | None) -> PoolManager:
        import urllib3

        connection = self._connection
        context = None
        if scheme == "https" or (proxy and proxy.startswith("https:")):
            # Reading the certificates costs 30 ms: not where no TLS is spoken.
            with _readable(connection.cert, "the certificates", "check `cert`, SSL_CERT_FILE and pip's `cert`"):
                context = _context(connection.cert)
            if trusted:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            if connection.client_cert:
                with _readable(connection.client_cert, "the client certificate", "check `client-cert`"):
                    context.load_cert_chain(connection.client_cert)
        options = {
            "maxsize": CONNECTIONS + 2,
            "timeout": urllib3.Timeout(connect=connection.timeout, read=connection.timeout),
            "ssl_context": context,
        }
        if not proxy:
            return urllib3.PoolManager(**options)  # type: ignore[arg-type]
        clean, login = split_credentials(proxy)
        try:
            if clean.startswith("socks"):
                from urllib3.contrib.socks import SOCKSProxyManager

                return SOCKSProxyManager(proxy, **options)  # type: ignore[arg-type]
            proxied = {"proxy-authorization": _basic(login)} if login else None
            return urllib3.ProxyManager(clean, proxy_headers=proxied, **options)  # type: ignore[arg-type]
        except (ImportError, ValueError, urllib3.exceptions.HTTPError) as error:
            raise IndexUnavailable(f"the proxy cannot be used: {error}", where=redacted(clean)) from None


def _check(url: str) -> None:
    """Raises `IndexUnavailable` where `url` is none that can be asked."""
    try:
        parts = urlsplit(url)
        fine = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fine = False
    if not fine:
        raise IndexUnavailable("this is no URL that can be asked", where=redacted(url))


@contextmanager
def _readable(file: str | None, what: str, hint: str) -> Iterator[None]:
    """Turns what goes wrong with a certificate's file into an `InputError` that names it."""
    try:
        yield
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{what} cannot be read: {reason}", where=file, hint=hint) from None


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        raise IndexUnavailable("it redirects to what is no URL", where=redacted(url)) from None


def _refused(status: int, url: str, *, had_login: bool) -> IndexUnavailable:
    return IndexUnavailable(
        f"the index answered {status}: " + ("the credentials are refused" if had_login else "it wants credentials"),
        where=redacted(url),
        hint="give them in the index's URL, in netrc, or with `keyring = true`",
    )


def _basic(login: Login) -> str:
    from base64 import b64encode

    return "Basic " + b64encode(f"{login[0]}:{login[1]}".encode()).decode()


def _let_go(response: BaseHTTPResponse) -> None:
    """Back to the pool if little of the body is left, else closed: it could be a whole wheel."""
    left = getattr(response, "length_remaining", None)
    if left is not None and left <= _CHUNK:
        response.drain_conn()
        response.release_conn()
    else:
        response.close()


def _context(cert: str | None) -> ssl.SSLContext:
    import os

    if cert is None:
        # The system's certificates, or those of SSL_CERT_FILE and SSL_CERT_DIR.
        return ssl.create_default_context()
    if os.path.isdir(cert):
        return ssl.create_default_context(capath=cert)
    return ssl.create_default_context(cafile=cert)


def _seconds(text: str) -> float:
    """Retry-After in seconds: a number, or a date (RFC 9110)."""
    if text.strip().isdecimal():
        return float(text)
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError):
        return 1.0


def _read(response: BaseHTTPResponse, limit: int, url: str) -> bytes:
    parts = []
    size = 0
    for chunk in _chunks(response, url):
        size += len(chunk)
        if size > limit:
            raise IndexUnavailable(f"the index's answer is larger than {limit >> 20} MB", where=redacted(url))
        parts.append(chunk)
    return b"".join(parts)


def _chunks(response: BaseHTTPResponse, url: str) -> Iterator[bytes]:
    from urllib3.exceptions import HTTPError

    try:
        yield from response.stream(_CHUNK, decode_content=True)
    except (HTTPError, OSError) as error:
        raise _BrokenOff(f"the answer broke off: {_reason(error)}", where=redacted(url), hint="try again") from None


def _reason(error: Exception) -> str:
    from urllib3 import exceptions

    if isinstance(error, exceptions.NameResolutionError):
        return "the host's name cannot be resolved"
    if isinstance(error, exceptions.TimeoutError) and not isinstance(error, exceptions.NewConnectionError):
        return "no answer in time"
    if isinstance(error, exceptions.ProxyError):
        return f"the proxy cannot be used: {_reason(error.original_error)}"
    text = str(error) or type(error).__name__
    if "Connection refused" in text:
        return "the connection was refused"
    if isinstance(error, exceptions.SSLError) and "certificate" in text.lower():
        return f"its certificate is not accepted: {text.rpartition(': ')[2].partition(' (')[0]}"
    # urllib3 puts the object in front: `<HTTPSConnection(…) at 0x…>: the reason`.
    return text.rpartition(">: ")[2].partition("\n")[0]
