"""A simple index over real sockets, with a switch for each thing that indexes do differently."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, NamedTuple, Self
from urllib.parse import unquote

from tests.wheels import Built

JSON = "application/vnd.pypi.simple.v1+json"
LOGIN_PAGE = (
    "<!DOCTYPE html><html><head><title>Sign in</title></head><body><h1>Sign in</h1>"
    '<form action="/login" method="post"><input name="user"><input type="password" name="pass"></form>'
    '<a href="/forgot">Forgot your password?</a> <a href="/register">Register</a></body></html>'
)


@dataclass
class Behaviour:
    """What the index can do."""

    json: bool = True
    html: bool = True
    metadata: bool = True
    """PEP 658 files, and the mention of them on pages."""
    hashes: bool = True
    upload_times: bool = True
    etag: bool = True
    last_modified: bool = False
    cache_control: str = "max-age=600"
    ranges: Literal["full", "no-suffix", "suffix-as-prefix", "none"] = "full"
    head: bool = True
    login: tuple[str, str] | None = None
    """User and password that every request needs."""
    chunked: bool = False


class Asked(NamedTuple):
    """One request, as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    status: int


@dataclass
class Fault:
    """What answers a path in place of the index."""

    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"no"
    content_type: str = "text/plain"
    left: int = 1 << 30
    """How many times."""
    cut: int | None = None
    """Send only so many bytes of what Content-Length promises, then hang up."""
    hold: bool = False
    """Answer only when the server is closed."""


class IndexServer:
    """Serves `/simple/NAME/` and `/files/NAME`; a context manager. `url` is that of the index.

    Below `lines` there is an index per build label, as vendors have them: `/whl/cu126/NAME/` has the `+cu126` files.
    """

    def __init__(self, files: Iterable[Built] = (), **behaviour: Any) -> None:
        self.behaviour = Behaviour(**behaviour)
        self.files: dict[str, Built] = {}
        self.asked: list[Asked] = []
        self._faults: dict[str, list[Fault]] = defaultdict(list)
        self._released = threading.Event()
        self.reached = threading.Event()
        """Set when a request for a path on hold has come in."""
        self.add(*files)
        server = self

        class Handler(_Handler):
            index = server

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.port = self._server.server_address[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.root}/simple"

    @property
    def lines(self) -> str:
        return f"{self.root}/whl"

    def with_login(self, user: str, password: str) -> str:
        return f"http://{user}:{password}@127.0.0.1:{self.port}/simple"

    # -- what it serves

    def add(self, *files: Built) -> None:
        self.files |= {file.filename: file for file in files}

    def remove(self, *names: str) -> None:
        self.files = {name: file for name, file in self.files.items() if name not in names}

    def fault(self, path: str, status: int = 500, times: int = 1 << 30, **more: Any) -> None:
        """Let `path` answer otherwise, `times` times; several faults of a path come one after the other."""
        self._faults[path].append(Fault(status, left=times, **more))

    def page(self, name: str, body: str, content_type: str = "text/html", **more: Any) -> None:
        """Let the page of `name` be `body`."""
        self.fault(f"/simple/{name}/", 200, body=body.encode(), content_type=content_type, **more)

    # -- what was asked of it

    def forget(self) -> None:
        self.asked.clear()

    def paths(self, method: str = "") -> list[str]:
        """The paths asked for, in order; with `method` only those."""
        return [one.path for one in self.asked if not method or one.method == method]

    def shape(self) -> list[str]:
        """The requests in short: `page NAME`, `metadata`, `range`, `file`, `head`, each with the status where it is an odd one."""
        found = []
        for one in self.asked:
            if one.path.startswith("/simple/"):
                what = f"page {one.path.split('/')[2]}"
            elif one.path.endswith(".metadata"):
                what = "metadata"
            elif one.method == "HEAD":
                what = "head"
            else:
                what = "range" if "range" in one.headers else "file"
            found.append(what if one.status in {200, 206} else f"{what} {one.status}")
        return found

    # -- answering

    def take_fault(self, path: str) -> Fault | None:
        for fault in self._faults.get(path, ()):
            if fault.left > 0:
                fault.left -= 1
                return fault
        return None

    def wait(self) -> None:
        self.reached.set()
        self._released.wait(60)

    def render(self, name: str, accept: str, label: str = "") -> tuple[str, bytes] | None:
        mine = (file.filename for file in self.files.values() if file.project == name)
        files = sorted(filename for filename in mine if not label or f"+{label}-" in filename)
        up = "../../.." if label else "../.."
        if not files:
            return None
        built = [self.files[filename] for filename in files]
        if self.behaviour.json and (JSON in accept or not self.behaviour.html):
            page = {"meta": {"api-version": "1.1"}, "name": name, "files": [self._json(file, up) for file in built]}
            return JSON, json.dumps(page).encode()
        rows = "\n".join(self._anchor(file, up) for file in built)
        text = f'<!DOCTYPE html><html><head><meta name="pypi:repository-version" content="1.0"></head><body>\n{rows}\n</body></html>'
        return "text/html; charset=utf-8", text.encode()

    def _json(self, file: Built, up: str) -> dict[str, Any]:
        found: dict[str, Any] = {
            "filename": file.filename,
            "url": f"{up}/files/{file.filename}",
            "hashes": {"sha256": file.sha256} if self.behaviour.hashes else {},
            "yanked": file.yanked if file.yanked is not None else False,
            "size": len(file.data),
        }
        if file.requires_python:
            found["requires-python"] = file.requires_python
        if self.behaviour.metadata and file.metadata:
            found["core-metadata"] = {"sha256": hashlib.sha256(file.metadata).hexdigest()}
        if self.behaviour.upload_times:
            found["upload-time"] = file.upload_time
        return found

    def _anchor(self, file: Built, up: str) -> str:
        attributes = ""
        if file.requires_python:
            attributes += f' data-requires-python="{html.escape(file.requires_python)}"'
        if file.yanked is not None:
            attributes += f' data-yanked="{html.escape(file.yanked)}"'
        if self.behaviour.metadata and file.metadata:
            attributes += f' data-core-metadata="sha256={hashlib.sha256(file.metadata).hexdigest()}"'
        fragment = f"#sha256={file.sha256}" if self.behaviour.hashes else ""
        return f'<a href="{up}/files/{file.filename}{fragment}"{attributes}>{file.filename}</a><br/>'


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    index: IndexServer

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        index, behaviour = self.index, self.index.behaviour
        path = unquote(self.path.partition("?")[0])
        fault = index.take_fault(path)
        if fault is not None:
            if fault.hold:
                index.wait()
            self._answer(fault.status, fault.headers | {"Content-Type": fault.content_type}, fault.body, cut=fault.cut)
            return
        if behaviour.login and self.headers.get("Authorization") != basic(*behaviour.login):
            self._answer(401, {"WWW-Authenticate": "Basic"}, b"who are you?")
            return
        if self.command == "HEAD" and not behaviour.head:
            self._answer(405, {}, b"")
            return
        if path.startswith(("/simple/", "/whl/")):
            self._page(path)
        elif path.startswith("/files/"):
            self._file(path.removeprefix("/files/"))
        else:
            self._answer(404, {}, b"")

    def _page(self, path: str) -> None:
        behaviour = self.index.behaviour
        *above, name = path.rstrip("/").split("/")[1:]
        if not path.endswith("/"):
            self._answer(301, {"Location": f"{path}/"}, b"")
            return
        rendered = self.index.render(name, self.headers.get("Accept", ""), above[1] if above[1:] else "")
        if rendered is None:
            self._answer(404, {}, b"no such project")
            return
        kind, body = rendered
        sent = {"Content-Type": kind}
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        if behaviour.cache_control:
            sent["Cache-Control"] = behaviour.cache_control
        if behaviour.etag:
            sent["ETag"] = etag
        if behaviour.last_modified:
            sent["Last-Modified"] = "Wed, 01 May 2024 12:00:00 GMT"
        if (behaviour.etag and self.headers.get("If-None-Match") == etag) or (
            behaviour.last_modified and self.headers.get("If-Modified-Since") == sent["Last-Modified"]
        ):
            self._answer(304, sent, b"")
            return
        self._answer(200, sent, body)

    def _file(self, name: str) -> None:
        behaviour = self.index.behaviour
        if name.endswith(".metadata"):
            file = self.index.files.get(name.removesuffix(".metadata"))
            if file is None or not behaviour.metadata or not file.metadata:
                self._answer(404, {}, b"")
            else:
                self._answer(200, {}, file.metadata)
            return
        file = self.index.files.get(name)
        if file is None:
            self._answer(404, {}, b"")
            return
        data, span = file.data, self.headers.get("Range", "")
        if not span or behaviour.ranges == "none":
            self._answer(200, {}, data)
            return
        first, _, last = span.removeprefix("bytes=").partition("-")
        if not first and behaviour.ranges == "no-suffix":
            self._answer(416, {"Content-Range": f"bytes */{len(data)}"}, b"")
            return
        if not first and behaviour.ranges == "suffix-as-prefix":
            start, end = 0, min(len(data), int(last) + 1)
        elif not first:
            start, end = max(0, len(data) - int(last)), len(data)
        else:
            start, end = int(first), min(len(data), int(last) + 1 if last else len(data))
        self._answer(206, {"Content-Range": f"bytes {start}-{end - 1}/{len(data)}"}, data[start:end])

    def _answer(self, status: int, headers: Mapping[str, str], body: bytes, *, cut: int | None = None) -> None:
        # Noted before it is sent: whoever has the answer finds the request in the list.
        self.index.asked.append(
            Asked(self.command, self.path, {key.lower(): value for key, value in self.headers.items()}, status)
        )
        chunked = self.index.behaviour.chunked and status == 200
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        if status != 304 and not chunked:
            self.send_header("Content-Length", str(len(body)))
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        if cut is not None:
            self.close_connection = True
            body = body[:cut]
        if chunked:
            body = (
                b"%x\r\n%s\r\n" % (len(body), body) + (b"0\r\n\r\n" if cut is None else b"") if body else b"0\r\n\r\n"
            )
        head = b"".join([*self._headers_buffer, b"\r\n"])  # type: ignore[attr-defined]
        self._headers_buffer = []
        try:
            self.wfile.write(head if self.command == "HEAD" or status == 304 else head + body)
        except OSError:
            self.close_connection = True


def basic(user: str, password: str) -> str:
    """The Authorization header of a user and password."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
