"""A full-featured package index on loopback, recorded from a plainer one and replayed with a fixed latency.

It knows: PEP 691 JSON and PEP 503 HTML by content negotiation, PEP 658/714 metadata files, ETag and 304,
Cache-Control, gzip, keep-alive, byte ranges, the legacy ``/pypi/NAME/json`` (for its hashes), 404s. What
was never asked before is fetched from upstream and written to the store; what is in the store is answered
without upstream.

It refuses to know: file sizes in listings (PEP 700; upstream does not say them, so pages call themselves
version 1.0), uploads, TLS, HTTP/2, and whole files above a limit, so that no tool downloads gigabytes by
accident.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import hashlib
import html
import io
import json
import os
import re
import ssl
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar
from urllib.parse import quote, unquote, urljoin, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
HTML_TYPES = ("text/html", "application/vnd.pypi.simple.v1+html", "text/*", "*/*")
JSON_TYPES = (JSON_TYPE, "application/vnd.pypi.simple.latest+json")
PAGE_CACHE = "max-age=600, public"
FILE_CACHE = "max-age=365000000, immutable, public"
TAIL = 128 * 1024
BLOCK = 32 * 1024
MEBIBYTE = 1 << 20
ATTEMPTS = 3
T = TypeVar("T")


def default_store() -> Path:
    """Where recordings lie unless told otherwise."""
    return Path(tempfile.gettempdir()) / "mlpin-bench-store"


def upstream_url() -> str:
    """The index to record: MLPIN_BENCH_UPSTREAM, else what pip is configured for, else pip's own default."""
    if given := os.environ.get("MLPIN_BENCH_UPSTREAM"):
        return given.rstrip("/")
    for key in ("global.index-url", "install.index-url"):
        asked = subprocess.run(
            [sys.executable, "-m", "pip", "config", "get", key], capture_output=True, text=True, check=False
        )
        if asked.returncode == 0 and asked.stdout.strip():
            return asked.stdout.strip().rstrip("/")
    from pip._internal.models.index import PyPI

    return str(PyPI.simple_url).rstrip("/")


def normalize(name: str) -> str:
    """The PEP 503 form of a project name."""
    return re.sub(r"[-_.]+", "-", name).lower()


def version_of(filename: str, project: str) -> str:
    """The version in a wheel's or sdist's file name; empty when it cannot be told."""
    if filename.endswith(".whl"):
        return filename.split("-")[1]
    stem = re.sub(r"\.(tar\.\w+|zip|tgz)$", "", filename)
    for cut in (match.start() for match in re.finditer("-", stem)):
        if normalize(stem[:cut]) == project:
            return stem[cut + 1 :]
    return ""


# --------------------------------------------------------------------------------------------- what is listed


@dataclass(frozen=True, slots=True)
class Link:
    """One file of a project page, as upstream lists it."""

    filename: str
    url: str
    sha256: str | None = None
    requires_python: str | None = None
    yanked: str | None = None
    uploaded: str | None = None


class _Anchors(HTMLParser):
    """Collects the links of a PEP 503 page."""

    def __init__(self, base: str) -> None:
        super().__init__()
        self._base = base
        self.links: list[Link] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take an anchor's attributes; the file name is the last part of its path."""
        given = dict(attrs)
        href = given.get("href")
        if tag != "a" or not href:
            return
        parts = urlsplit(urljoin(self._base, href))
        digest = parts.fragment.removeprefix("sha256=") if parts.fragment.startswith("sha256=") else None
        self.links.append(
            Link(
                filename=unquote(parts.path.rsplit("/", 1)[-1]),
                url=parts._replace(fragment="").geturl(),
                sha256=digest,
                requires_python=given.get("data-requires-python"),
                yanked=(given["data-yanked"] or "") if "data-yanked" in given else None,
                uploaded=given.get("data-upload-time"),
            )
        )


def _parse_page(body: bytes, content_type: str, base: str) -> list[Link]:
    """The links of an upstream page, in JSON or HTML."""
    if "json" not in content_type:
        anchors = _Anchors(base)
        anchors.feed(body.decode())
        return anchors.links
    links = []
    for file in json.loads(body)["files"]:
        yanked = file.get("yanked", False)
        links.append(
            Link(
                filename=file["filename"],
                url=urljoin(base, file["url"]),
                sha256=file["hashes"].get("sha256"),
                requires_python=file.get("requires-python"),
                yanked=None if yanked is False else "" if yanked is True else yanked,
                uploaded=file.get("upload-time"),
            )
        )
    return links


@dataclass(slots=True)
class Page:
    """A recorded project page, what is known of its wheels' metadata, and the renderings made so far."""

    name: str
    links: dict[str, Link]
    root: str = ""
    """Where the index is served; only the legacy JSON needs it, as its URLs are absolute."""
    metadata: dict[str, str | None] = field(default_factory=dict)
    """SHA-256 of a wheel's metadata by file name; None where the wheel has none."""
    rendered: dict[str, tuple[bytes, str]] = field(default_factory=dict)

    def learn(self, filename: str, digest: str | None) -> None:
        """Note what a wheel's metadata hashes to; pages rendered before that are stale."""
        if filename not in self.metadata:
            self.metadata[filename] = digest
            self.rendered.clear()

    def body(self, form: str) -> tuple[bytes, str]:
        """The page's bytes and their ETag, as ``json``, ``html`` or ``legacy``, with ``.gz`` or not."""
        if form not in self.rendered:
            if form.endswith(".gz"):
                body = gzip.compress(self.body(form.removesuffix(".gz"))[0], 6, mtime=0)
            else:
                body = {"json": self._json, "html": self._html, "legacy": self._legacy}[form]()
            self.rendered[form] = (body, f'"{hashlib.sha256(body).hexdigest()[:32]}"')
        return self.rendered[form]

    def _core_metadata(self, filename: str) -> bool | dict[str, str]:
        if not filename.endswith(".whl"):
            return False
        if filename not in self.metadata:
            return True
        digest = self.metadata[filename]
        return {"sha256": digest} if digest else False

    def _href(self, filename: str) -> str:
        return f"../../files/{self.name}/{quote(filename)}"

    def _json(self) -> bytes:
        files: list[dict[str, object]] = []
        for link in self.links.values():
            core = self._core_metadata(link.filename)
            file: dict[str, object] = {
                "core-metadata": core,
                "data-dist-info-metadata": core,
                "filename": link.filename,
                "hashes": {"sha256": link.sha256} if link.sha256 else {},
                "requires-python": link.requires_python,
                "url": self._href(link.filename),
                "yanked": False if link.yanked is None else link.yanked or True,
            }
            if link.uploaded:
                file["upload-time"] = link.uploaded
            files.append(file)
        page = {"files": files, "meta": {"api-version": "1.0"}, "name": self.name}
        return json.dumps(page, separators=(",", ":")).encode()

    def _html(self) -> bytes:
        lines = ["<!DOCTYPE html>", "<html>", f"<head><title>Links for {self.name}</title></head>", "<body>"]
        for link in self.links.values():
            fragment = f"#sha256={link.sha256}" if link.sha256 else ""
            attributes = f'href="{html.escape(self._href(link.filename) + fragment)}"'
            if link.requires_python:
                attributes += f' data-requires-python="{html.escape(link.requires_python)}"'
            if link.yanked is not None:
                attributes += f' data-yanked="{html.escape(link.yanked)}"'
            core = self._core_metadata(link.filename)
            if core:
                value = f"sha256={core['sha256']}" if isinstance(core, dict) else "true"
                attributes += f' data-dist-info-metadata="{value}" data-core-metadata="{value}"'
            lines.append(f"<a {attributes}>{html.escape(link.filename)}</a><br />")
        lines += ["</body>", "</html>"]
        return "\n".join(lines).encode()

    def _legacy(self) -> bytes:
        releases: dict[str, list[dict[str, object]]] = {}
        for link in self.links.values():
            release = releases.setdefault(version_of(link.filename, self.name), [])
            kind = "bdist_wheel" if link.filename.endswith(".whl") else "sdist"
            digests = {"sha256": link.sha256} if link.sha256 else {}
            url = f"{self.root}/files/{self.name}/{quote(link.filename)}"
            release.append({"filename": link.filename, "url": url, "packagetype": kind, "digests": digests})
        return json.dumps({"info": {"name": self.name}, "releases": releases}, separators=(",", ":")).encode()


# --------------------------------------------------------------------------------- what upstream is asked for


class TooLargeError(Exception):
    """More bytes of one file were asked for than this index hands out."""


class Upstream:
    """The recorded index, asked over plain urllib; slow is fine, as nothing of it is ever timed."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=ssl.create_default_context()))

    def get(self, url: str, headers: Mapping[str, str]) -> tuple[bytes, Mapping[str, str], str] | None:
        """Body, headers and final URL of an answer; None for a 404 or 410; other failures are raised."""
        request = urllib.request.Request(url, headers={"Accept-Encoding": "identity", **headers})
        for attempt in range(ATTEMPTS):
            try:
                with self._opener.open(request, timeout=120) as answer:
                    return answer.read(), answer.headers, answer.url
            except urllib.error.HTTPError as error:
                if error.code in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
                    return None
                if error.code < HTTPStatus.INTERNAL_SERVER_ERROR or attempt == ATTEMPTS - 1:
                    raise
            except OSError:
                if attempt == ATTEMPTS - 1:
                    raise
        return None

    def links(self, name: str) -> list[Link] | None:
        """The files of a project; None when there is no such project."""
        # The JSON type is asked for although HTML may come: some mirrors add upload times to it only then.
        got = self.get(f"{self.url}/{name}/", {"Accept": f"{JSON_TYPE}, text/html;q=0.1"})
        if got is None:
            return None
        body, headers, final = got
        return _parse_page(body, headers.get("Content-Type", ""), final)

    def part(self, url: str, asked: str) -> tuple[int, int, bytes] | None:
        """Bytes of a file by a Range value: where they start, how long the whole file is, and the bytes."""
        got = self.get(url, {"Range": f"bytes={asked}"})
        if got is None:
            return None
        body, headers, _ = got
        span = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", headers.get("Content-Range", ""))
        return (int(span[1]), int(span[2]), body) if span else (0, len(body), body)


class _RemoteFile(io.RawIOBase):
    """A file behind byte ranges, seekable, so that zipfile can read one member of it."""

    def __init__(self, upstream: Upstream, url: str) -> None:
        got = upstream.part(url, f"-{TAIL}")
        if got is None:
            raise FileNotFoundError(url)
        start, self.size, body = got
        self._upstream, self._url, self._position = upstream, url, 0
        self._parts = [(start, body)]

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._position = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        return self._position

    def read(self, size: int = -1) -> bytes:
        start = self._position
        stop = self.size if size < 0 else min(start + size, self.size)
        for at, body in self._parts:
            if at <= start and stop <= at + len(body):
                self._position = stop
                return body[start - at : stop - at]
        if start >= stop:
            return b""
        got = self._upstream.part(self._url, f"{start}-{min(max(stop, start + BLOCK), self.size) - 1}")
        if got is None:
            raise FileNotFoundError(self._url)
        self._parts.append((got[0], got[2]))
        return self.read(size)


def _wheel_metadata(upstream: Upstream, url: str) -> bytes | None:
    """METADATA of a wheel, read by byte ranges; None when it has none that can be read."""
    try:
        with zipfile.ZipFile(_RemoteFile(upstream, url)) as wheel:
            members = [n for n in wheel.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", n)]
            return wheel.read(members[0]) if members else None
    except (FileNotFoundError, zipfile.BadZipFile):
        return None


# ----------------------------------------------------------------------------------------------- what is kept


class Store:
    """Pages, metadata and file parts on disk; everything missing is asked of upstream once and kept."""

    def __init__(self, root: Path, upstream: Callable[[], Upstream], limit: int) -> None:
        self.root = root
        self._upstream = upstream
        self._limit = limit

    def page(self, name: str) -> Page | None:
        """A project's page; None when upstream has no such project."""
        path = self.root / "pages" / f"{name}.json"
        if not path.exists():
            links = self._upstream().links(name)
            rows = None if links is None else [[getattr(li, slot) for slot in Link.__slots__] for li in links]
            _write(path, json.dumps(rows).encode())
        rows = json.loads(path.read_bytes())
        if rows is None:
            return None
        page = Page(name, {row[0]: Link(*row) for row in rows})
        for kept in (self.root / "metadata" / name).glob("*"):
            digest = hashlib.sha256(kept.read_bytes()).hexdigest() if kept.suffix == ".metadata" else None
            page.learn(kept.stem, digest)
        return page

    def metadata(self, name: str, link: Link) -> bytes | None:
        """The metadata of a wheel; None when it has none."""
        folder = self.root / "metadata" / name
        path = folder / f"{link.filename}.metadata"
        missing = folder / f"{link.filename}.missing"
        if not path.exists() and not missing.exists():
            found = _wheel_metadata(self._upstream(), link.url) if link.filename.endswith(".whl") else None
            _write(missing if found is None else path, found or b"")
        return path.read_bytes() if path.exists() else None

    def size(self, name: str, link: Link) -> int | None:
        """How long a file is; None when it is gone."""
        path = self.root / "files" / name / link.filename / "size"
        if not path.exists():
            got = self._upstream().part(link.url, "0-0")
            _write(path, b"gone" if got is None else str(got[1]).encode())
        kept = path.read_text()
        return None if kept == "gone" else int(kept)

    def part(self, name: str, link: Link, start: int, stop: int) -> bytes:
        """Bytes ``start`` up to, not including, ``stop`` of a file that is there."""
        folder = self.root / "files" / name / link.filename
        for kept in folder.glob("*-*"):
            first, last = map(int, kept.name.split("-"))
            if first <= start and stop <= last:
                with kept.open("rb") as file:
                    file.seek(start - first)
                    return file.read(stop - start)
        if stop - start > self._limit:
            raise TooLargeError(f"{stop - start} bytes of {link.filename} asked for")
        got = self._upstream().part(link.url, f"{start}-{stop - 1}")
        body = got[2] if got else b""
        _write(folder / f"{start}-{stop}", body)
        return body


def _write(path: Path, body: bytes) -> None:
    """Write a file so that no reader sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    draft.write_bytes(body)
    draft.rename(path)


# ------------------------------------------------------------------------------------------- what is answered


@dataclass(frozen=True, slots=True)
class Request:
    """A request line and its headers, names in lower case."""

    method: str
    path: str
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response, and the kind it is counted as."""

    kind: str
    status: HTTPStatus
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    length: int | None = None
    """Content-Length where the body is not sent (HEAD)."""


def _missing(why: str = "not found") -> Answer:
    headers = (("Content-Type", "text/plain"), ("Cache-Control", PAGE_CACHE))
    return Answer("404", HTTPStatus.NOT_FOUND, why.encode(), headers)


def _wants_json(accept: str) -> bool:
    """Whether an Accept header prefers JSON; nothing and ``*/*`` mean HTML, as on the public index."""
    best = {"json": 0.0, "html": 0.0}
    for entry in accept.split(","):
        kind, *parameters = (part.strip() for part in entry.split(";"))
        quality = next((float(p[2:]) for p in parameters if p.startswith("q=")), 1.0)
        form = "json" if kind in JSON_TYPES else "html" if kind in HTML_TYPES else None
        if form:
            best[form] = max(best[form], quality)
    return best["json"] > 0 and best["json"] >= best["html"]


def _span(asked: str, size: int) -> tuple[int, int] | None:
    """A Range header's single span as start and stop; None when there is none that can be met."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", asked.strip())
    if not match or match.group(0) == "bytes=-":
        return None
    first, last = match[1], match[2]
    start, stop = (int(first), int(last) + 1 if last else size) if first else (size - int(last), size)
    start, stop = max(0, start), min(stop, size)
    return (start, stop) if start < stop else None


class Index:
    """The index, served from a thread of its own while the ``with`` block runs."""

    def __init__(
        self,
        store: Path | str,
        *,
        latency_ms: float = 20,
        upstream: str | None = None,
        port: int = 0,
        max_file_mb: int = 64,
    ) -> None:
        self._upstream_url = upstream
        self._upstream: Upstream | None = None
        self._upstream_lock = threading.Lock()
        self._store = Store(Path(store), self._ask_upstream, max_file_mb * MEBIBYTE)
        self._latency = latency_ms / 1000
        self._port = port
        self._pages: dict[str, Page | None] = {}
        self._bodies: dict[tuple[str, str], bytes | None] = {}
        self._pending: dict[object, asyncio.Future[object]] = {}
        self._counts: Counter[str] = Counter()
        self._loop = asyncio.new_event_loop()
        self._workers = ThreadPoolExecutor(32)
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.url = ""
        """Where the simple index is, without a slash at its end."""

    def __enter__(self) -> Self:
        """Start listening."""
        self._thread.start()
        serving = asyncio.start_server(self._connection, "127.0.0.1", self._port, limit=1 << 18, backlog=1024)
        self._server = asyncio.run_coroutine_threadsafe(serving, self._loop).result()
        self.root = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        self.url = f"{self.root}/simple"
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening; connections still open are dropped."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._workers.shutdown(cancel_futures=True)

    async def _close(self) -> None:
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def stats(self) -> dict[str, int]:
        """Requests answered since the last reset by kind, their ``total``, the body ``bytes`` sent."""
        return dict(sorted(self._counts.items()))

    def reset(self) -> None:
        """Forget the counts."""
        self._counts.clear()

    def _ask_upstream(self) -> Upstream:
        with self._upstream_lock:
            if self._upstream is None:
                self._upstream = Upstream(self._upstream_url or upstream_url())
            return self._upstream

    async def _once(self, key: object, work: Callable[[], T]) -> T:
        """Run blocking work in a worker; whoever asks for the same key meanwhile gets the same result."""
        if key not in self._pending:
            self._pending[key] = self._loop.run_in_executor(self._workers, work)
            self._pending[key].add_done_callback(lambda _: self._pending.pop(key))
        return await self._pending[key]  # type: ignore[return-value]

    async def _page(self, name: str) -> Page | None:
        if name not in self._pages:
            page = await self._once(("page", name), lambda: self._store.page(name))
            if page is not None:
                page.root = self.root
            self._pages.setdefault(name, page)
        return self._pages[name]

    # -- one answer per kind of path

    async def _answer(self, request: Request) -> Answer:
        parts = [unquote(part) for part in urlsplit(request.path).path.split("/")[1:]]
        match parts:
            case ["simple", name, ""] if name and name == normalize(name):
                form = "json" if _wants_json(request.headers.get("accept", "")) else "html"
                return await self._answer_page(request, name, form)
            case ["simple", name] | ["simple", name, ""] if name:
                where = f"/simple/{normalize(name)}/"
                return Answer("redirect", HTTPStatus.MOVED_PERMANENTLY, headers=(("Location", where),))
            case ["pypi" | "simple", name, "json"] | [name, "json"]:  # pip-compile leaves "pypi" out
                return await self._answer_page(request, normalize(name), "legacy")
            case ["files", name, filename]:
                page = await self._page(name)
                if page is None:
                    return _missing()
                if filename.endswith(".metadata"):
                    return await self._answer_metadata(request, page, filename.removesuffix(".metadata"))
                if filename in page.links:
                    return await self._answer_file(request, name, page.links[filename])
        return _missing()

    async def _answer_page(self, request: Request, name: str, form: str) -> Answer:
        page = await self._page(name)
        if page is None:
            return _missing()
        packed = "gzip" in request.headers.get("accept-encoding", "")
        key = f"{form}.gz" if packed else form
        if key in page.rendered:
            body, etag = page.rendered[key]
        else:
            body, etag = await self._once((form, packed, name), lambda: page.body(key))
        content_type = {"json": JSON_TYPE, "html": "text/html; charset=utf-8", "legacy": "application/json"}[form]
        headers = [
            ("Content-Type", content_type),
            ("ETag", etag),
            ("Cache-Control", PAGE_CACHE),
            ("Vary", "Accept, Accept-Encoding"),
        ]
        if self._unchanged(request, etag):
            return Answer(f"page-{form}-304", HTTPStatus.NOT_MODIFIED, headers=tuple(headers))
        if packed:
            headers.append(("Content-Encoding", "gzip"))
        return Answer(f"page-{form}", HTTPStatus.OK, body, tuple(headers))

    async def _answer_metadata(self, request: Request, page: Page, filename: str) -> Answer:
        link = page.links.get(filename)
        if link is None:
            return _missing()
        key = (page.name, filename)
        if key not in self._bodies:
            body = await self._once(("metadata", key), lambda: self._store.metadata(page.name, link))
            self._bodies[key] = body
            page.learn(filename, hashlib.sha256(body).hexdigest() if body is not None else None)
        body = self._bodies[key]
        if body is None:
            return _missing("this file has no metadata")
        etag = f'"{page.metadata[filename]}"'
        headers = (("Content-Type", "binary/octet-stream"), ("ETag", etag), ("Cache-Control", FILE_CACHE))
        if self._unchanged(request, etag):
            return Answer("metadata-304", HTTPStatus.NOT_MODIFIED, headers=headers)
        return Answer("metadata", HTTPStatus.OK, body, headers)

    async def _answer_file(self, request: Request, name: str, link: Link) -> Answer:
        size = await self._once(("size", name, link.filename), lambda: self._store.size(name, link))
        if size is None:
            return _missing()
        headers = [
            ("Content-Type", "binary/octet-stream"),
            ("ETag", f'"{link.sha256 or link.filename}"'),
            ("Cache-Control", FILE_CACHE),
            ("Accept-Ranges", "bytes"),
        ]
        if request.method == "HEAD":
            return Answer("file-head", HTTPStatus.OK, headers=tuple(headers), length=size)
        kind, status, span = "file", HTTPStatus.OK, (0, size)
        if asked := request.headers.get("range"):
            met = _span(asked, size)
            if met is None:
                headers.append(("Content-Range", f"bytes */{size}"))
                return Answer("file-416", HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers=tuple(headers))
            kind, status, span = "file-range", HTTPStatus.PARTIAL_CONTENT, met
            headers.append(("Content-Range", f"bytes {span[0]}-{span[1] - 1}/{size}"))
        try:
            key = ("part", name, link.filename, span)
            body = await self._once(key, lambda: self._store.part(name, link, *span))
        except TooLargeError as error:
            return Answer("file-refused", HTTPStatus.FORBIDDEN, str(error).encode())
        return Answer(kind, status, body, tuple(headers))

    @staticmethod
    def _unchanged(request: Request, etag: str) -> bool:
        given = (tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(","))
        return any(tag in (etag, "*") for tag in given)

    def _control(self, request: Request) -> Answer | None:
        """Answers to ``/_stats`` and ``/_reset``, which are neither counted nor delayed."""
        if request.path == "/_reset":
            self.reset()
        elif request.path != "/_stats":
            return None
        body = json.dumps(self.stats()).encode()
        return Answer("control", HTTPStatus.OK, body, (("Content-Type", "application/json"),))

    # -- connections

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer requests of one connection, one after the other, until it closes."""
        try:
            while request := await self._read(reader):
                answer = self._control(request)
                if answer is None:
                    answer = await self._counted(request)
                writer.write(self._render(request, answer))
                await writer.drain()
                if request.headers.get("connection", "").lower() == "close":
                    break
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _counted(self, request: Request) -> Answer:
        await asyncio.sleep(self._latency)
        if request.method not in ("GET", "HEAD"):
            answer = Answer("405", HTTPStatus.METHOD_NOT_ALLOWED)
        else:
            try:
                answer = await self._answer(request)
            except Exception as error:  # whatever went wrong upstream, the client is told
                print(f"index: {request.path}: {error!r}", file=sys.stderr)
                answer = Answer("502", HTTPStatus.BAD_GATEWAY, repr(error).encode())
        self._counts[answer.kind] += 1
        self._counts["total"] += 1
        self._counts["bytes"] += 0 if request.method == "HEAD" else len(answer.body)
        return answer

    @staticmethod
    async def _read(reader: asyncio.StreamReader) -> Request | None:
        """The next request of a connection; None when the client has closed it."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        first, *rest = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        method, path, _ = first.split(" ", 2)
        pairs = (line.partition(":") for line in rest)
        headers = {key.strip().lower(): value.strip() for key, _, value in pairs}
        await reader.readexactly(int(headers.get("content-length", "0")))
        return Request(method, path, headers)

    @staticmethod
    def _render(request: Request, answer: Answer) -> bytes:
        bodiless = request.method == "HEAD" or answer.status == HTTPStatus.NOT_MODIFIED
        lines = [f"HTTP/1.1 {answer.status.value} {answer.status.phrase}"]
        lines += [f"{key}: {value}" for key, value in answer.headers]
        if answer.status != HTTPStatus.NOT_MODIFIED:
            lines.append(f"Content-Length: {len(answer.body) if answer.length is None else answer.length}")
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        return head if bodiless else head + answer.body


def main() -> None:
    """Serve until interrupted, or until standard input closes where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, default=default_store(), help="folder of the recording")
    parser.add_argument("--latency-ms", type=float, default=20, help="wait before each answer (default: 20)")
    parser.add_argument("--port", type=int, default=0, help="port on loopback (default: any free one)")
    parser.add_argument("--max-file-mb", type=int, default=64, help="most to hand out of one file (default: 64)")
    parser.add_argument("--until-eof", action="store_true", help="stop when standard input closes")
    given = parser.parse_args()
    index = Index(given.store, latency_ms=given.latency_ms, port=given.port, max_file_mb=given.max_file_mb)
    with index:
        print(index.url, flush=True)
        try:
            if given.until_eof:
                sys.stdin.read()
            else:
                threading.Event().wait()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
