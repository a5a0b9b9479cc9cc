"""Who we are to an index: logins from URLs, netrc and keyring, and the proxy on the way to it.

A login is for one scheme and host and goes to no other. What is found is never shown.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from urllib.parse import urlsplit

Login = tuple[str, str]
"""User and password."""


class Logins:
    """Finds the login for a URL; each place is asked once. May be used from many threads."""

    def __init__(self, known: Mapping[str, Login], netrc: str | None, *, keyring: bool) -> None:
        self._known = known
        self._netrc = netrc
        self._keyring = keyring
        self._lock = threading.Lock()
        self._asked: dict[str, Login | None] = {}

    def find(self, url: str) -> Login | None:
        """The login for `url`, or None."""
        matching = [prefix for prefix in self._known if _same_host(url, prefix)]
        if matching:
            return self._known[max(matching, key=lambda prefix: _common(url, prefix))]
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        with self._lock:
            if origin not in self._asked:
                self._asked[origin] = _from_netrc(self._netrc, parts.hostname or "") or (
                    _from_keyring(origin) if self._keyring else None
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


def _from_netrc(path: str | None, host: str) -> tuple[str, str] | None:
    if not path:
        return None
    import netrc

    try:
        found = netrc.netrc(path).authenticators(host)
    except (OSError, netrc.NetrcParseError):
        return None
    return (found[0] or "", found[2] or "") if found else None


def _from_keyring(origin: str) -> tuple[str, str] | None:
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


def proxy_for(url: str, environ: Mapping[str, str]) -> str | None:
    """The proxy that HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY name for `url`; lower-case names go first."""
    parts = urlsplit(url)

    def said(name: str) -> str:
        return environ.get(name) or environ.get(name.upper()) or ""

    proxy = said(f"{parts.scheme}_proxy") or said("all_proxy")
    if not proxy:
        return None
    host = (parts.hostname or "").lower()
    for entry in said("no_proxy").lower().split(","):
        name = entry.strip().removeprefix("*").lstrip(".")
        if entry.strip() == "*" or (
            name and (host == name or host.endswith(f".{name}") or parts.netloc.lower() == name)
        ):
            return None
    return proxy if "://" in proxy else f"http://{proxy}"
