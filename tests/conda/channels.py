"""Small conda channels that are real: package files with their metadata inside, repodata in each form, a server."""

from __future__ import annotations

import base64
import bz2
import hashlib
import io
import json
import tarfile
import threading
import zipfile
from collections.abc import Iterable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import unquote

import msgpack
import zstandard

PLAIN, ZST, BZ2, SHARDS = "json", "zst", "bz2", "shards"


class Package(NamedTuple):
    """One package file."""

    subdir: str
    filename: str
    data: bytes
    record: dict[str, Any]
    """As it stands in the repodata."""


def package(
    name: str,
    version: str = "1.0",
    build: str = "0",
    *,
    depends: Iterable[str] = (),
    files: Mapping[str, str | bytes] | None = None,
    subdir: str = "linux-64",
    number: int | None = None,
    noarch: str = "",
    kind: str = "conda",
    entry_points: Iterable[str] = (),
    **more: Any,
) -> Package:
    """A package with `files` (by path below the prefix); `kind` is `conda` or `tar.bz2`, `more` goes into its record.

    `subdir` is `noarch` where `noarch` (`python` or `generic`) is given. Files of a Python package of no platform
    stand below `site-packages/`.
    """
    subdir = "noarch" if noarch else subdir
    digits = build.rpartition("_")[2]
    index: dict[str, Any] = {
        "name": name,
        "version": version,
        "build": build,
        "build_number": number if number is not None else int(digits) if digits.isdigit() else 0,
        "depends": list(depends),
        "subdir": subdir,
        "timestamp": 1700000000000,
    }
    if noarch:
        index["noarch"] = noarch
    if "-" in subdir:
        system, _, machine = subdir.partition("-")
        index |= {"platform": system, "arch": {"64": "x86_64", "32": "x86"}.get(machine, machine)}
    index |= more
    payload = {path: text.encode() if isinstance(text, str) else text for path, text in (files or {}).items()}
    paths = [
        {
            "_path": path,
            "path_type": "hardlink",
            "sha256": hashlib.sha256(data).hexdigest(),
            "size_in_bytes": len(data),
        }
        for path, data in sorted(payload.items())
    ]
    info = {
        "info/index.json": json.dumps(index, indent=1).encode(),
        "info/paths.json": json.dumps({"paths": paths, "paths_version": 1}).encode(),
        "info/files": "".join(f"{path}\n" for path in sorted(payload)).encode(),
        "info/about.json": b"{}",
    }
    if noarch == "python":
        info["info/link.json"] = json.dumps(
            {"noarch": {"type": "python", "entry_points": [*entry_points]}, "package_metadata_version": 1}
        ).encode()
    stem = f"{name}-{version}-{build}"
    data = bz2.compress(_tar(info | payload)) if kind == "tar.bz2" else _conda(stem, info, payload)
    record = index | {
        "md5": hashlib.md5(data).hexdigest(),
        "sha256": hashlib.sha256(data).hexdigest(),
        "size": len(data),
    }
    return Package(subdir, f"{stem}.{kind}", data, record)


def _tar(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, data in files.items():
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(data), 0o755 if path.startswith("bin/") else 0o644
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def _conda(stem: str, info: Mapping[str, bytes], payload: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in (
            ("metadata.json", b'{"conda_pkg_format_version": 2}'),
            (f"pkg-{stem}.tar.zst", zstandard.compress(_tar(payload))),
            (f"info-{stem}.tar.zst", zstandard.compress(_tar(info))),
        ):
            archive.writestr(zipfile.ZipInfo(name), data)
    return buffer.getvalue()


def channel(
    folder: Path,
    *packages: Package,
    forms: Iterable[str] = (PLAIN,),
    subdirs: Iterable[str] = ("noarch",),
    removed: Iterable[str] = (),
) -> Path:
    """Makes `folder` a channel of these packages and returns it. `subdirs` are there without packages, too."""
    for subdir in dict.fromkeys([*subdirs, *(one.subdir for one in packages)]):
        mine = [one for one in packages if one.subdir == subdir]
        (folder / subdir).mkdir(parents=True, exist_ok=True)
        for one in mine:
            (folder / subdir / one.filename).write_bytes(one.data)
        repodata(
            folder / subdir, {one.filename: one.record for one in mine}, forms=tuple(forms), removed=tuple(removed)
        )
    return folder


def repodata(
    folder: Path, records: Mapping[str, Any], *, forms: tuple[str, ...] = (PLAIN,), removed: tuple[str, ...] = ()
) -> None:
    """Writes the repodata of a subdir, with whatever stands in `records` by file name."""
    tables: dict[str, dict[str, Any]] = {"packages": {}, "packages.conda": {}}
    for filename, record in records.items():
        tables["packages.conda" if filename.endswith(".conda") else "packages"][filename] = record
    data = {"info": {"subdir": folder.name}, **tables, "removed": list(removed), "repodata_version": 1}
    text = json.dumps(data, indent=1).encode()
    folder.mkdir(parents=True, exist_ok=True)
    if PLAIN in forms:
        (folder / "repodata.json").write_bytes(text)
    if ZST in forms:
        (folder / "repodata.json.zst").write_bytes(zstandard.compress(text))
    if BZ2 in forms:
        (folder / "repodata.json.bz2").write_bytes(bz2.compress(text))
    if SHARDS in forms:
        _shards(folder, tables, removed)


def _shards(folder: Path, tables: Mapping[str, dict[str, Any]], removed: tuple[str, ...]) -> None:
    """CEP 16: an index of names, and a file per name called by its hash."""
    (folder / "shards").mkdir(exist_ok=True)
    names = {str(record["name"]) for table in tables.values() for record in table.values()}
    index = {}
    for name in sorted(names):
        shard = {
            kind: {
                file: {
                    key: bytes.fromhex(value) if key in {"sha256", "md5"} else value for key, value in record.items()
                }
                for file, record in table.items()
                if record["name"] == name
            }
            for kind, table in tables.items()
        }
        shard["removed"] = [file for file in removed if file.startswith(f"{name}-")]  # type: ignore[assignment]
        packed = zstandard.compress(msgpack.packb(shard))
        digest = hashlib.sha256(packed)
        (folder / "shards" / f"{digest.hexdigest()}.msgpack.zst").write_bytes(packed)
        index[name] = digest.digest()
    whole = {"info": {"subdir": folder.name, "base_url": "", "shards_base_url": "./shards/"}, "shards": index}
    (folder / "repodata_shards.msgpack.zst").write_bytes(zstandard.compress(msgpack.packb(whole)))


class Asked(NamedTuple):
    """One request, as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    status: int
    sent: int
    """Bytes of the body."""


class ChannelServer:
    """Serves a folder of channels over real sockets; a context manager. `url` stands above the channels."""

    def __init__(
        self,
        folder: Path,
        *,
        login: tuple[str, str] | None = None,
        token: str = "",
        headers: Mapping[str, str] | None = None,
        etag: bool = False,
    ) -> None:
        """Every request needs `login`, or `/t/TOKEN` in front of its path; `headers` go with every file."""
        self.folder, self.login, self.token, self.etag = folder, login, token, etag
        self.headers = dict(headers or {})
        self.asked: list[Asked] = []
        self.status = 0
        """What every request is answered with, unless it is 0."""
        self.hold = threading.Event()
        """Requests wait as long as it is not set."""
        self.hold.set()
        self.reached = threading.Event()
        server = self

        class Handler(_Handler):
            channels = server

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.port = self._server.server_address[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.hold.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def with_login(self, user: str, password: str) -> str:
        return f"http://{user}:{password}@127.0.0.1:{self.port}"

    def forget(self) -> None:
        self.asked.clear()

    def shape(self, status: int = 200) -> list[str]:
        """The paths of bodies that were sent with this status, sorted."""
        return sorted(one.path for one in self.asked if one.status == status and one.method == "GET")

    @property
    def sent(self) -> int:
        """Bytes of bodies sent so far."""
        return sum(one.sent for one in self.asked)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    channels: ChannelServer

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        server, path = self.channels, unquote(self.path.partition("?")[0])
        server.reached.set()
        server.hold.wait(60)
        if server.status:
            self._answer(server.status, {}, b"no")
            return
        if server.login and self.headers.get("Authorization") != basic(*server.login):
            self._answer(401, {"WWW-Authenticate": "Basic"}, b"who are you?")
            return
        if server.token:
            if not path.startswith(f"/t/{server.token}/"):
                self._answer(403, {}, b"no")
                return
            path = path.removeprefix(f"/t/{server.token}")
        file = server.folder / path.lstrip("/")
        if not file.is_file():
            self._answer(404, {}, b"")
            return
        data = file.read_bytes()
        headers = dict(server.headers)
        if server.etag:
            headers["ETag"] = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
            if self.headers.get("If-None-Match") == headers["ETag"]:
                self._answer(304, headers, b"")
                return
        self._answer(200, headers, data)

    def _answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        sent = 0 if self.command == "HEAD" or status == 304 else len(body)
        self.channels.asked.append(
            Asked(self.command, self.path, {key.lower(): value for key, value in self.headers.items()}, status, sent)
        )
        self.send_response_only(status)
        for key, value in headers.items():
            self.send_header(key, value)
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body if sent else b"")
        except OSError:
            self.close_connection = True


def basic(user: str, password: str) -> str:
    """The Authorization header of a user and password."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
