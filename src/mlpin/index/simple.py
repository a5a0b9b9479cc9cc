"""Pages of the Simple API, as HTML (PEP 503, 592, 629, 658) and as JSON (PEP 691, 700, 714).

A project's page can list thousands of files of which a resolver looks at a handful. So a page is only
sorted into versions when it arrives; a version's files are decoded when somebody asks for them. The
sorted form is also what the cache stores: `Page.dump` and `Page.load`.

Pure functions of bytes: nothing in here knows how a page was fetched.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import unquote, urljoin

from mlpin.errors import IndexUnavailable
from mlpin.index.names import read, version
from mlpin.index.page import Page, first
from mlpin.index.url import redacted

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
ACCEPT = f"{JSON_TYPE}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"

# The anchors of every page but the oddest. One that holds a `>` inside its quotes does not match.
_QUICK_ANCHOR = re.compile(r"""<a(\s[^>]*[^=\s>]")>([^<]*)""", re.IGNORECASE)
_ANCHOR_START = re.compile(r"<a\s", re.IGNORECASE)
_FILES = re.compile(r'"files"\s*:\s*\[')
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"')
_FILENAME = re.compile(r'"filename"\s*:\s*"([^"\\]*)"')
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_ANCHOR = re.compile(
    r"""<a((?:\s+[^\s=<>"'/]+(?:\s*=\s*(?:"[^"]*"|'[^']*'|[^\s<>"']+))?)*)\s*/?>([^<]*)""", re.IGNORECASE
)
_HREF = re.compile(r"""\bhref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s<>"']+))""", re.IGNORECASE)
_BASE = re.compile(r"""<base\s[^>]*?href\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))""", re.IGNORECASE)
_API = re.compile(r"""<meta\s[^>]*?pypi:repository-version[^>]*>""", re.IGNORECASE)
_MAJOR = re.compile(r"""\bcontent\s*=\s*["']?(\d+)""", re.IGNORECASE)
_ARCHIVES = (".whl", ".gz", ".zip", ".bz2", ".xz", ".tgz", ".egg", ".exe", ".msi", ".rpm", ".deb", ".dmg", ".asc")
_FORM = re.compile(r"""<form\b|type\s*=\s*["']?password""", re.IGNORECASE)
_PASSWORD = re.compile(r"""<input\b[^>]*type\s*=\s*["']?password""", re.IGNORECASE)


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
        text = body.decode()
        split = _split_files(text)
        if split is None:
            split = _all_files(text)
        major, files = split
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise IndexUnavailable(
            f"the index answered with JSON that is cut off or no page of packages ({error})",
            where=redacted(url),
            hint="try again; if it stays, tell whoever runs the index",
        ) from None
    _check_api(major, url)
    grouped, unreadable = _by_version(project, files)
    return _sorted(project, "json", url, {key: f"[{','.join(value)}]" for key, value in grouped.items()}, unreadable)


def _split_files(text: str) -> tuple[int, list[tuple[str, str]]] | None:
    """The API's major version, and by file its name and its object as text; None where the text must be parsed.

    Parsing thousands of objects of which a handful is looked at costs more than everything else about a page.
    What stands around the list is parsed; the objects are told apart by `},{`, and each must hold one name.
    """
    start = _FILES.search(text)
    if start is None:
        return None
    end = text.rfind("]")
    # The list of files may be followed by others, such as that of versions.
    inside, closing, after = text[start.end() :].partition("}]") if end >= 0 else ("", "", "")
    if not closing:
        return None
    try:
        around = json.loads(f"{text[: start.end()]}]{after}")
    except ValueError:
        return None  # what closed was not the list of files
    pieces = inside[1:].split("},{" if "},{" in inside else "}, {")
    if around["files"] or len(pieces) != inside.count('"filename"') or not inside.startswith("{"):
        return None
    found = [_FILENAME.search(piece) for piece in pieces if _is_object(piece)]
    names = [match[1] for match in found if match]
    if len(names) != len(pieces):
        return None  # a text or an object inside has what divides objects
    major = int(str(around["meta"]["api-version"]).partition(".")[0])
    return major, [(name, f"{{{piece}}}") for name, piece in zip(names, pieces, strict=True)]


def _is_object(piece: str) -> bool:
    """Whether a piece is the whole inside of one object: no text and no brace is left open."""
    if "\\" in piece or piece.count("{") != piece.count('":{') + piece.count('": {'):
        piece = _STRING.sub('""', piece)
    braces = piece.count("{")
    return piece.count('"') % 2 == 0 and braces == piece.count("}") and "},{" not in piece and "}, {" not in piece


def _all_files(text: str) -> tuple[int, list[tuple[str, str]]]:
    """The same by parsing everything. Raises `ValueError`, `KeyError`, `TypeError`."""
    page = json.loads(text)
    files = page["files"]
    if not isinstance(files, list) or not all(isinstance(file, dict) for file in files):
        raise ValueError("`files` is no list of files")
    dumps = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
    major = int(str(page["meta"]["api-version"]).partition(".")[0])
    return major, [(str(file.get("filename", "")), dumps(file)) for file in files]


def _by_version(
    project: str, files: Iterable[tuple[str, str]], *, flat: bool = False
) -> tuple[dict[str, list[str]], list[tuple[str, str]]]:
    """What was listed by version, from (file name, what the page says of it); and the names that cannot be read."""
    grouped: dict[str, list[str]] = {}
    unreadable = []
    # Most files are wheels of a few hundred versions. What else their names say is checked when they are decoded.
    stems: dict[tuple[str, str], list[str]] = {}
    for name, said in files:
        if name[-4:] == ".whl" and 4 <= name.count("-") <= 5:
            stem = name.split("-", 2)
            known = stems.get((stem[0], stem[1]))
            if known is not None:
                known.append(said)
                continue
        found = read(name, project)
        if isinstance(found, str):
            if not flat:
                unreadable.append((name, found))
            continue
        group = grouped.setdefault(found.version, [])
        group.append(said)
        if found.tags:
            stem = name.split("-", 2)
            stems[stem[0], stem[1]] = group
    return grouped, unreadable


def parse_html(project: str, body: bytes, url: str, *, flat: bool = False) -> Page:
    """The page as `parse` returns it. With `flat` the page is one of links to files of any project."""
    text = body.decode("utf-8", "replace")
    if "<!--" in text:
        text = _COMMENT.sub("", text)
    start = text.find("<a")
    head = text if start < 0 else text[:start]
    if (api := _API.search(head)) and (major := _MAJOR.search(api[0])):
        _check_api(int(major[1]), url)
    base = url
    if found_base := _BASE.search(head):
        from html import unescape

        base = urljoin(url, unescape(next(filter(None, found_base.groups()), "")))
    anchors = _QUICK_ANCHOR.findall(text)
    if len(anchors) != len(_ANCHOR_START.findall(text)):
        anchors = _ANCHOR.findall(text)
    grouped, unreadable = _by_version(project, map(_named, anchors), flat=flat)
    login = not grouped and _PASSWORD.search(text)
    if not flat and not anchors:
        login = login or _FORM.search(text)
    if login or (not flat and not anchors and not re.search(r"<html|<!doctype|<body", text, re.IGNORECASE)):
        raise IndexUnavailable(
            "the index answered with a login page"
            if login
            else "the index answered with something that is no HTML page",
            where=redacted(url),
            hint="give credentials for it (in the URL, netrc or keyring)" if login else None,
        )
    if not flat and anchors and not grouped and not any(name.lower().endswith(_ARCHIVES) for name, _ in unreadable):
        raise IndexUnavailable(
            "the index answered with a page that has links, but no files",
            where=redacted(url),
            hint="is it a login page, or not the URL of a simple index (it mostly ends in /simple)?",
        )
    end = text[-200:].lower()
    if "</html" not in end and "</body" not in end and "<html" in text[:2000].lower() and not flat:
        raise IndexUnavailable("the index's answer is cut off in the middle", where=redacted(url), hint="try again")
    return _sorted(project, "html", base, {key: "\x1e".join(value) for key, value in grouped.items()}, unreadable)


def _named(anchor: tuple[str, str]) -> tuple[str, str]:
    """The file name of an anchor, and what the page's stored form keeps of it."""
    attributes, label = anchor
    name = label if label[-4:] == ".whl" else label.strip()
    if not name.endswith((".whl", ".gz", ".zip")):
        name = _name_of_href(attributes)
    return name, f"{name}\x1f{attributes}"


def _check_api(major: int, url: str) -> None:
    if major != 1:
        raise IndexUnavailable(
            f"the index speaks version {major} of the Simple API; mlpin knows version 1",
            where=redacted(url),
            hint="a newer mlpin may know it",
        )


def _sorted(project: str, kind: str, base: str, grouped: Mapping[str, str], unreadable: list[tuple[str, str]]) -> Page:
    spans: dict[str, tuple[int, int]] = {}
    parts: list[bytes] = []
    at = 0
    for key in sorted(grouped, key=version, reverse=True):
        part = grouped[key].encode("utf-8", "replace")
        spans[key] = (at, at + len(part))
        parts.append(part)
        at += len(part)
    return Page(project, kind, base, spans, b"".join(parts), tuple(unreadable))


def _name_of_href(attributes: str) -> str:
    from html import unescape

    match = _HREF.search(attributes)
    href = unescape(first(match.groups(""))) if match else ""
    return unquote(href.partition("#")[0].partition("?")[0].rstrip("/").rpartition("/")[2])
