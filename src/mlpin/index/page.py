"""The files of a project's page, sorted by version and decoded when somebody asks for them.

A page can list thousands of files of which a resolver looks at a handful. `index.simple` sorts a page when it
arrives; what it makes is also what the cache stores (`Page.dump`, `Page.load`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urljoin

from mlpin.candidate import Artifact, Listing
from mlpin.errors import IndexUnavailable
from mlpin.index.names import read
from mlpin.index.url import strip_credentials

# What the anchors of most pages look like, read in one step.
_PLAIN = re.compile(
    r"""\s*href="([^"#&]*)#sha256=([0-9a-f]{64})"(?:\s+data-requires-python="([^"]*)")?"""
    r"""(?:\s+data-(?:dist-info|core)-metadata="sha256=([0-9a-f]{64})"){0,2}"""
    r"""(?:\s+data-upload-time="([^"]*)")?\s*"""
)
_ATTRIBUTE = re.compile(r"""([^\s=<>"'/]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s<>"']+)))?""")
_HASH = re.compile(r"(md5|sha1|sha224|sha256|sha384|sha512|blake2b)=([0-9a-fA-F]+)")
_UPLOADED = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?)(?:Z|\+00:00)?", re.ASCII)
_FORMAT = 2


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
            files = self._decoded[key] = self.files(key, _any_tags)
        return files

    def files(self, key: str, wanted: Callable[[str], bool]) -> tuple[Artifact, ...]:
        """The files of a version with wanted tags (empty for a source archive); the others are not decoded."""
        start, end = self._spans[key]
        if end > len(self._body) and self._rest is not None:
            # Another process may have replaced the record meanwhile: then what it says now counts.
            whole = self._rest()
            self._rest = lambda: whole
            if whole is None or key not in whole:
                message = "its page was taken out of the cache while it was read"
                raise IndexUnavailable(message, where=self.project, hint="run it again")
            return whole.files(key, wanted)
        decode = _html_files if self.kind == "html" else _json_files
        try:
            return decode(self._body[start:end].decode(), self.base, self.project, wanted)
        except ValueError as error:
            message = f"what the index says of version {key} cannot be read ({error})"
            raise IndexUnavailable(message, where=self.project) from None

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
            "versions": list(self._spans),
            "ends": [end for _, end in self._spans.values()],
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
            ends = header["ends"]
            spans = dict(zip(header["versions"], zip([0, *ends], ends, strict=False), strict=True))
            unreadable = tuple((name, reason) for name, reason in header["unreadable"])
            page = cls(header["project"], header["kind"], header["base"], spans, data[end + 1 :], unreadable, rest)
        except (ValueError, KeyError, TypeError):
            return None
        return page, header


def _absolute(base: str, href: str) -> str:
    if href.startswith(("https://", "http://")):
        found = href
    elif href[:1] == "/" and href[1:2] != "/" and base[:4] == "http":
        # What `urljoin` would say, ten times sooner.
        found = "/".join(base.split("/", 3)[:3]) + href
    else:
        try:
            found = urljoin(base, href)
        except ValueError:
            return ""
    return strip_credentials(found) if "@" in found else found


def _any_tags(tags: str) -> bool:  # noqa: ARG001
    return True


def _html_files(text: str, base: str, project: str, wanted: Callable[[str], bool]) -> tuple[Artifact, ...]:
    from html import unescape

    found = []
    for entry in text.split("\x1e"):
        filename, _, raw = entry.partition("\x1f")
        stated = read(filename, project)
        if isinstance(stated, str) or not wanted(stated.tags):
            continue
        if plain := _PLAIN.fullmatch(raw):
            href, digest, python, metadata, uploaded = plain.groups("")
            found.append(
                Artifact(
                    filename,
                    _absolute(base, href),
                    (("sha256", digest),),
                    unescape(python) if python else "",
                    upload_time=_uploaded(uploaded),
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
        url = _absolute(base, href.strip()) if href else ""
        if not url:
            continue
        metadata = attributes.get("data-core-metadata", attributes.get("data-dist-info-metadata", ""))
        found.append(
            Artifact(
                filename,
                url,
                tuple(sorted((kind, value.lower()) for kind, value in _HASH.findall(fragment))),
                attributes.get("data-requires-python", ""),
                attributes.get("data-yanked"),
                None,
                # No part of PEP 503, but some mirrors carry over what PEP 700 says in JSON.
                _uploaded(attributes.get("data-upload-time", "")),
                metadata.replace("=", ":") if metadata not in {"", "false"} else "",
                stated.tags,
                stated.build,
            )
        )
    return tuple(found)


def _uploaded(text: str) -> str:
    """An upload time as PEP 700 wants it; what says no zone is UTC, whatever this machine's is."""
    found = _UPLOADED.fullmatch(text) if text else None
    if found is None:
        return ""
    from datetime import datetime

    try:
        datetime.fromisoformat(found[1])
    except ValueError:
        return ""
    return f"{found[1]}Z"


def _json_files(text: str, base: str, project: str, wanted: Callable[[str], bool]) -> tuple[Artifact, ...]:
    found = []
    for file in json.loads(text):
        filename = _text(file.get("filename"))
        stated = read(filename, project)
        if isinstance(stated, str) or not wanted(stated.tags):
            continue
        url = file.get("url")
        url = _absolute(base, url.partition("#")[0]) if isinstance(url, str) else ""
        if not url:
            continue
        yanked = file.get("yanked", False)
        metadata = file.get("core-metadata", file.get("dist-info-metadata", False))
        if isinstance(metadata, dict):
            metadata = f"sha256:{metadata['sha256']}" if "sha256" in metadata else "true"
        hashes = file.get("hashes")
        size = file.get("size")
        found.append(
            Artifact(
                filename,
                url,
                tuple(sorted((kind, str(value).lower()) for kind, value in hashes.items()))
                if isinstance(hashes, dict)
                else (),
                _text(file.get("requires-python")),
                None if yanked is False or yanked is None else yanked if isinstance(yanked, str) else "",
                size if type(size) is int else None,
                _uploaded(_text(file.get("upload-time"))),
                metadata if isinstance(metadata, str) else "true" if metadata else "",
                stated.tags,
                stated.build,
            )
        )
    return tuple(found)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def first(groups: tuple[str, ...]) -> str:
    """The one of three groups of an expression that matched: double quotes, single quotes, none."""
    return groups[0] or groups[1] or groups[2]
