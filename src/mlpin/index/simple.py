"""Pages of the Simple API, as HTML (PEP 503, 592, 629, 658) and as JSON (PEP 691, 700, 714).

A project's page can list thousands of files of which a resolver looks at a handful. So a page is only
sorted into versions when it arrives; a version's files are decoded when somebody asks for them. The
sorted form is also what the cache stores: `Page.dump` and `Page.load`.

Pure functions of bytes: nothing in here knows how a page was fetched.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urljoin

from mlpin.candidate import Artifact, Listing
from mlpin.errors import IndexUnavailable
from mlpin.index.names import FileName, read, version
from mlpin.index.url import redacted, strip_credentials

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
ACCEPT = f"{JSON_TYPE}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"

_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_ANCHOR = re.compile(
    r"""<a((?:\s+[^\s=<>"'/]+(?:\s*=\s*(?:"[^"]*"|'[^']*'|[^\s<>"']+))?)*)\s*/?>([^<]*)""", re.IGNORECASE
)
_ATTRIBUTE = re.compile(r"""([^\s=<>"'/]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s<>"']+)))?""")
# What the anchors of most pages look like, read in one step.
_PLAIN = re.compile(
    r"""\s*href="([^"#&]*)#sha256=([0-9a-f]{64})"(?:\s+data-requires-python="([^"]*)")?"""
    r"""(?:\s+data-(?:dist-info|core)-metadata="sha256=([0-9a-f]{64})"){0,2}"""
    r"""(?:\s+data-upload-time="([^"]*)")?\s*"""
)
_HREF = re.compile(r"""\bhref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s<>"']+))""", re.IGNORECASE)
_BASE = re.compile(r"""<base\s[^>]*?href\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))""", re.IGNORECASE)
_API = re.compile(r"""<meta\s[^>]*?pypi:repository-version[^>]*>""", re.IGNORECASE)
_MAJOR = re.compile(r"""\bcontent\s*=\s*["']?(\d+)""", re.IGNORECASE)
_FORM = re.compile(r"""<form\b|type\s*=\s*["']?password""", re.IGNORECASE)
_PASSWORD = re.compile(r"""<input\b[^>]*type\s*=\s*["']?password""", re.IGNORECASE)
_UPLOADED = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?)(?:Z|\+00:00)?", re.ASCII)
_HASH = re.compile(r"(md5|sha1|sha224|sha256|sha384|sha512|blake2b)=([0-9a-fA-F]+)")
_FORMAT = 1


class Page(Mapping[str, tuple[Artifact, ...]]):
    """The files of a project by version, newest first; decoded on demand.

    `kind` is `html`, `json` or `absent` (the index has no such project).
    """

    __slots__ = ("_body", "_decoded", "_rest", "_spans", "base", "kind", "project", "unreadable")

    def __init__(
        self,
        project: str,
        kind: str,
        base: str,
        spans: dict[str, tuple[int, int]],
        body: bytes,
        unreadable: tuple[tuple[str, str], ...] = (),
        rest: Callable[[], Page | None] | None = None,
    ) -> None:
        self.project = project
        self.kind = kind
        self.base = base
        self.unreadable = unreadable
        self._spans = spans
        self._body = body
        self._rest = rest
        self._decoded: dict[str, tuple[Artifact, ...]] = {}

    @classmethod
    def absent(cls, project: str) -> Page:
        """The page of a project that the index does not have."""
        return cls(project, "absent", "", {}, b"")

    def __iter__(self) -> Iterator[str]:
        return iter(self._spans)

    def __len__(self) -> int:
        return len(self._spans)

    def __contains__(self, key: object) -> bool:
        return key in self._spans

    def __getitem__(self, key: str) -> tuple[Artifact, ...]:
        files = self._decoded.get(key)
        if files is None:
            start, end = self._spans[key]
            if end > len(self._body) and self._rest is not None:
                # Another process may have replaced the record meanwhile: then what it says now counts.
                whole = self._rest()
                self._rest = lambda: whole
                files = whole[key] if whole is not None and key in whole else ()
            else:
                decode = _html_files if self.kind == "html" else _json_files
                files = decode(self._body[start:end].decode(), self.base, self.project)
            self._decoded[key] = files
        return files

    def listing(self, index: str) -> Listing:
        """The page as a listing of the index with this URL."""
        return Listing(self.project, "" if self.kind == "absent" else index, self, self.unreadable)

    def dump(self, **extra: object) -> bytes:
        """The page as the cache stores it: one line of JSON (with `extra` in it), then the files."""
        header = {
            "format": _FORMAT,
            "project": self.project,
            "kind": self.kind,
            "base": self.base,
            "size": len(self._body),
            "spans": [[name, *span] for name, span in self._spans.items()],
            "unreadable": self.unreadable,
            **extra,
        }
        return json.dumps(header, separators=(",", ":")).encode() + b"\n" + self._body

    @classmethod
    def load(
        cls, data: bytes, size: int | None = None, rest: Callable[[], Page | None] | None = None
    ) -> tuple[Page, dict[str, Any]] | None:
        """A dumped page and its header; None where the record is cut off or of another format.

        `data` may be the head of a record of `size` bytes: `rest` then reads the whole page if it is needed.
        """
        end = data.find(b"\n")
        if end < 0:
            return None
        try:
            header = json.loads(data[:end])
            if header["format"] != _FORMAT or (len(data) if size is None else size) - end - 1 != header["size"]:
                return None
            spans = {name: (start, stop) for name, start, stop in header["spans"]}
            unreadable = tuple((name, reason) for name, reason in header["unreadable"])
            page = cls(header["project"], header["kind"], header["base"], spans, data[end + 1 :], unreadable, rest)
        except (ValueError, KeyError, TypeError):
            return None
        return page, header


def parse(project: str, content_type: str, body: bytes, url: str) -> Page:
    """The page of `project` (normalised) that was fetched from `url` (without credentials).

    Raises `IndexUnavailable` where the answer is no page of the Simple API.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind.endswith("+json") or kind == "application/json":
        return _parse_json(project, body, url)
    if kind in {"", "text/html", "application/xhtml+xml", "application/vnd.pypi.simple.v1+html"}:
        return parse_html(project, body, url)
    raise IndexUnavailable(
        f"the index answered with {kind}, which is no page of packages",
        where=url,
        hint="is this the URL of a simple index (it mostly ends in /simple)?",
    )


def _parse_json(project: str, body: bytes, url: str) -> Page:
    try:
        page = json.loads(body)
        major = int(str(page["meta"]["api-version"]).partition(".")[0])
        files = page["files"]
        if not isinstance(files, list) or not all(isinstance(file, dict) for file in files):
            raise ValueError("`files` is no list of files")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise IndexUnavailable(
            f"the index answered with JSON that is cut off or no page of packages ({error})",
            where=redacted(url),
            hint="try again; if it stays, tell whoever runs the index",
        ) from None
    _check_api(major, url)
    grouped: dict[str, list[Any]] = {}
    unreadable = []
    for file in files:
        name = str(file.get("filename", ""))
        found = read(name, project)
        if isinstance(found, str):
            unreadable.append((name, found))
        else:
            grouped.setdefault(found.version, []).append(file)
    dumps = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
    return _sorted(project, "json", url, {key: dumps(value) for key, value in grouped.items()}, unreadable)


def parse_html(project: str, body: bytes, url: str, *, flat: bool = False) -> Page:
    """The page as `parse` returns it. With `flat` the page is one of links to files of any project."""
    text = body.decode("utf-8", "replace")
    if (api := _API.search(text)) and (major := _MAJOR.search(api[0])):
        _check_api(int(major[1]), url)
    if "<!--" in text:
        text = _COMMENT.sub("", text)
    base = url
    if found_base := _BASE.search(text):
        from html import unescape

        base = urljoin(url, unescape(next(filter(None, found_base.groups()), "")))
    grouped: dict[str, list[str]] = {}
    unreadable = []
    anchors = _ANCHOR.findall(text)
    for attributes, label in anchors:
        name = label.strip()
        if not name.endswith((".whl", ".gz", ".zip")):
            name = _name_of_href(attributes)
        found = read(name, project)
        if isinstance(found, FileName):
            grouped.setdefault(found.version, []).append(f"{name}\x1f{attributes}")
        elif not flat:
            unreadable.append((name, found))
    login = not grouped and _PASSWORD.search(text)
    if not flat and not anchors:
        login = login or _FORM.search(text)
    if login or (not flat and not anchors and not re.search(r"<html|<!doctype|<body", text, re.I)):
        raise IndexUnavailable(
            "the index answered with a login page" if login else "the index answered with something that is no HTML page",
            where=redacted(url),
            hint="give credentials for it (in the URL, netrc or keyring)" if login else None,
        )
    if "</html" not in text[-200:].lower() and "<html" in text[:2000].lower() and not flat:
        raise IndexUnavailable("the index's answer is cut off in the middle", where=redacted(url), hint="try again")
    return _sorted(project, "html", base, {key: "\x1e".join(value) for key, value in grouped.items()}, unreadable)


def _check_api(major: int, url: str) -> None:
    if major != 1:
        raise IndexUnavailable(
            f"the index speaks version {major} of the Simple API; mlpin knows version 1",
            where=redacted(url),
            hint="a newer mlpin may know it",
        )


def _sorted(
    project: str, kind: str, base: str, grouped: Mapping[str, str], unreadable: list[tuple[str, str]]
) -> Page:
    spans: dict[str, tuple[int, int]] = {}
    parts: list[bytes] = []
    at = 0
    for key in sorted(grouped, key=version, reverse=True):
        part = grouped[key].encode("utf-8", "replace")
        spans[key] = (at, at + len(part))
        parts.append(part)
        at += len(part)
    return Page(project, kind, base, spans, b"".join(parts), tuple(unreadable))


def _first(groups: tuple[str, ...]) -> str:
    return groups[0] or groups[1] or groups[2]


def _name_of_href(attributes: str) -> str:
    from html import unescape

    match = _HREF.search(attributes)
    href = unescape(_first(match.groups(""))) if match else ""
    return unquote(href.partition("#")[0].partition("?")[0].rstrip("/").rpartition("/")[2])


def _absolute(base: str, href: str) -> str:
    try:
        found = href if href.startswith(("https://", "http://")) else urljoin(base, href)
    except ValueError:
        return ""
    return strip_credentials(found) if "@" in found else found


def _html_files(text: str, base: str, project: str) -> tuple[Artifact, ...]:
    from html import unescape

    found = []
    for entry in text.split("\x1e"):
        filename, _, raw = entry.partition("\x1f")
        stated = read(filename, project)
        if isinstance(stated, str):
            continue
        if plain := _PLAIN.fullmatch(raw):
            href, digest, python, metadata, uploaded = plain.groups("")
            found.append(
                Artifact(
                    filename,
                    _absolute(base, href),
                    (("sha256", digest),),
                    unescape(python) if python else "",
                    upload_time=uploaded,
                    metadata=f"sha256:{metadata}" if metadata else "",
                    tags=stated.tags,
                    build=stated.build,
                )
            )
            continue
        attributes = {
            name.lower(): unescape(value) if "&" in (value := double or single or bare) else value
            for name, double, single, bare in _ATTRIBUTE.findall(raw)
        }
        href, _, fragment = attributes.get("href", "").partition("#")
        metadata = attributes.get("data-core-metadata", attributes.get("data-dist-info-metadata", ""))
        found.append(
            Artifact(
                filename,
                _absolute(base, href),
                tuple(sorted((kind, value.lower()) for kind, value in _HASH.findall(fragment))),
                attributes.get("data-requires-python", ""),
                attributes.get("data-yanked"),
                None,
                # No part of PEP 503, but some mirrors carry over what PEP 700 says in JSON.
                attributes.get("data-upload-time", ""),
                metadata.replace("=", ":") if metadata not in {"", "false"} else "",
                stated.tags,
                stated.build,
            )
        )
    return tuple(found)


def _json_files(text: str, base: str, project: str) -> tuple[Artifact, ...]:
    found = []
    for file in json.loads(text):
        stated = read(file["filename"], project)
        url = file.get("url")
        url = _absolute(base, url.partition("#")[0]) if isinstance(url, str) else ""
        if isinstance(stated, str) or not url:
            continue
        yanked = file.get("yanked", False)
        metadata = file.get("core-metadata", file.get("dist-info-metadata", False))
        if isinstance(metadata, dict):
            metadata = f"sha256:{metadata['sha256']}" if "sha256" in metadata else "true"
        hashes = file.get("hashes")
        size = file.get("size")
        uploaded = _UPLOADED.fullmatch(_text(file.get("upload-time")))
        found.append(
            Artifact(
                file["filename"],
                url,
                tuple(sorted((kind, str(value).lower()) for kind, value in hashes.items())) if isinstance(hashes, dict) else (),
                _text(file.get("requires-python")),
                None if yanked is False or yanked is None else yanked if isinstance(yanked, str) else "",
                size if type(size) is int else None,
                # PEP 700 wants UTC; what says no zone is that, whatever this machine's is.
                f"{uploaded[1]}Z" if uploaded else "",
                metadata if isinstance(metadata, str) else "true" if metadata else "",
                stated.tags,
                stated.build,
            )
        )
    return tuple(found)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
