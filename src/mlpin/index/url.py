"""URLs with credentials in them: taken apart, put together, and shown without what is secret.

Knows the text of a URL only. A user of an SSH URL (`git@`) without a password is part of the address,
not a credential.
"""

from __future__ import annotations

import re

_PARTS = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?P<host>[^/?#]*)(?P<rest>.*)", re.DOTALL)
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"`<>]+")
_PORT = re.compile(r"(\[[^\]]*\]|[^:]*)(:\d*)?")
_SECRET_QUERY = re.compile(
    r"(?i)(?<=[?&])((?:[\w-]*token|[\w-]*key|[\w-]*secret|password|sig|[\w-]*signature|[\w-]*credential)=)[^&#]+"
)


def _cut(url: str) -> tuple[str, str, str] | None:
    """(scheme, user part, the rest); None where `url` has no user part, or one that is no secret."""
    found = _PARTS.fullmatch(url)
    if found is None:
        return None
    scheme, host, rest = found["scheme"], found["host"], found["rest"]
    if "@" not in host and "@" in rest and not _PORT.fullmatch(host):
        # a password with an unescaped `/`, `?` or `#`: what stands before the last @ belongs to it
        before, _, rest = rest.rpartition("@")
        return scheme, host + before, rest
    user, at, host = host.rpartition("@")
    if not at or ("ssh" in scheme.lower() and ":" not in user):
        return None
    return scheme, user, host + rest


def redacted(url: str) -> str:
    """`url` as it may be shown: `https://****@host/…`, and `****` for a token in the query."""
    cut = _cut(url)
    if cut is not None and cut[1].strip(":"):
        url = f"{cut[0]}****@{cut[2]}"
    elif cut is not None:
        url = cut[0] + cut[2]
    return _SECRET_QUERY.sub(r"\1****", url)


def redacted_in(text: str) -> str:
    """`text` with every URL in it as it may be shown."""
    return _URL.sub(lambda match: redacted(match[0]), text) if "://" in text else text


def strip_credentials(url: str) -> str:
    """`url` without user and password. Of an SSH URL the user stays, the password goes."""
    cut = _cut(url)
    if cut is None:
        return url
    scheme, user, rest = cut
    name = user.partition(":")[0]
    return f"{scheme}{name}@{rest}" if "ssh" in scheme.lower() and name else scheme + rest


def split_credentials(url: str) -> tuple[str, tuple[str, str] | None]:
    """`url` without credentials, and (user, password), percent-decoded; None where it has none."""
    cut = _cut(url)
    if cut is None:
        return url, None
    user, _, password = cut[1].partition(":")
    if not user and not password:
        return strip_credentials(url), None
    from urllib.parse import unquote

    return strip_credentials(url), (unquote(user), unquote(password))


def with_credentials(url: str, user: str, password: str) -> str:
    """`url` with this user and password in place of its own, percent-encoded; as it is where it has no host."""
    found = _PARTS.fullmatch(strip_credentials(url))
    if found is None or not found["host"] or not (user or password):
        return url
    from urllib.parse import quote

    secret = f":{quote(password, safe='')}" if password else ""
    return f"{found['scheme']}{quote(user, safe='')}{secret}@{found['host']}{found['rest']}"


def local_path(url: str) -> str:
    """The path of a `file:` URL; empty for any other."""
    if not url.startswith("file:"):
        return ""
    from urllib.parse import unquote

    path = unquote(re.sub(r"^file:(//(localhost)?(?=/))?", "", url))
    # file:///C:/x is C:/x
    return path[1:] if re.match(r"/[A-Za-z]:", path) else path
