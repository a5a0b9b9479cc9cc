"""Clashes that projects really run into, each with what the indexes said of it, served again on loopback.

A snapshot (`clashes/NAME.json.gz`, written by `python -m tests.explain.record NAME`) has, by index and project, the
files that matter and their metadata. It knows no host: the server gives every file a URL of its own. No file has a
body, but for source archives, which are made anew around their metadata.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from textwrap import dedent
from typing import Any, NamedTuple, Self
from urllib.parse import quote, unquote

from tests.wheels import sdist

CLASHES = Path(__file__).with_name("clashes")
JSON = "application/vnd.pypi.simple.v1+json"

Files = Mapping[str, str]
"""By name, the text of a project's files."""


class Case(NamedTuple):
    """A project that cannot be solved."""

    files: Files
    options: tuple[str, ...] = ()
    """What is said on the command line."""


LINUX = ("--platform", "linux-x86_64")


def _text(text: str) -> str:
    return dedent(text).removeprefix("\n")


CASES = {
    "torch-torchvision": Case(
        {
            "requirements.txt": _text("""
                # The detector.
                torch==2.4.0         # what the cluster's image has
                torchvision==0.20.0  # decodes JPEG on the GPU

                tqdm>=4.66
            """)
        },
        (*LINUX, "--python", "3.11"),
    ),
    "vllm-torch-transformers": Case(
        {
            "requirements.txt": _text("""
                transformers==4.40.0  # our patch is for this one
                torch==2.5.1
                vllm==0.8.5           # Qwen3
            """)
        },
        (*LINUX, "--python", "3.11"),
    ),
    "tensorflow-numpy": Case(
        {
            "pyproject.toml": _text("""
                [project]
                name = "forecast"
                version = "1.0"
                requires-python = ">=3.10"
                dependencies = [
                    "tensorflow==2.15.0",  # saved models of last year
                    "numpy>=2",            # StringDType
                    "tqdm",
                ]

                [tool.mlpin]
                python = "3.11"
                platform = "linux-x86_64"
            """)
        }
    ),
    "xformers-torch": Case(
        {
            "requirements.txt": _text("""
                xformers==0.0.26.post1  # memory-efficient attention
                torch==2.4.1
            """)
        },
        (*LINUX, "--python", "3.11"),
    ),
    "jax-cudnn": Case(
        {
            "requirements.txt": _text("""
                -c constraints.txt
                jax[cuda12]==0.4.35
            """),
            "constraints.txt": _text("""
                # The cluster's modules.
                nvidia-cudnn-cu12==8.9.7.29
                numpy<2.3
            """),
        },
        (*LINUX, "--python", "3.11"),
    ),
    "tensorflow-python": Case(
        {
            "pyproject.toml": _text("""
                [project]
                name = "classifier"
                version = "1.0"
                requires-python = ">=3.10"
                dependencies = ["tensorflow==2.15.0"]

                [tool.mlpin]
                python = "3.13"  # what the new image has
                platform = "linux-x86_64"
            """)
        }
    ),
    "gpu-too-new": Case(
        {
            "requirements.txt": _text("""
                torch==2.4.0
                torchvision==0.19.0  # goes with it
            """),
            "mlpin.toml": _text("""
                python = "3.11"
                platform = "linux-x86_64"
                gpus = ["RTX 5090"]  # the new workstation
            """),
        }
    ),
    "gpu-too-old": Case(
        {
            "requirements.txt": "torch==2.12.0\n",
            "mlpin.toml": 'python = "3.12"\nplatform = "linux-x86_64"\n',
        },
        ("--gpu", "V100"),
    ),
    "driver-too-old": Case(
        {
            "requirements.txt": "torch==2.8.0\n",
            "mlpin.toml": _text("""
                python = "3.12"
                platform = "linux-x86_64"
                driver = "470.82"  # the cluster's
            """),
        }
    ),
    "flash-attn-torch": Case(
        {
            "requirements.txt": _text("""
                torch==2.9.1
                flash-attn==2.8.0.post2  # no build of our own
            """),
            "mlpin.toml": _text("""
                python = "3.12"
                platform = "linux-x86_64"
                glibc = "2.35"
                cuda = "12.*"
            """),
        }
    ),
    "onnxruntime-both": Case(
        {
            "requirements.txt": _text("""
                onnxruntime==1.20.1  # a dependency's
                onnxruntime-gpu==1.20.0
            """)
        },
        (*LINUX, "--python", "3.11"),
    ),
}


def path(name: str) -> Path:
    """Where the snapshot of a case lies."""
    return CLASHES / f"{name}.json.gz"


class Snapshot:
    """Serves `/simple/NAME/` and `/whl/LABEL/NAME/` from a snapshot; a context manager."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._pages: dict[str, bytes] = {}
        self._files: dict[str, bytes] = {}
        for place, projects in data["indexes"].items():
            for project, listed in projects.items():
                entries = [self._entry(f"{place}/{project}", file, listed["metadata"]) for file in listed["files"]]
                page = {"meta": {"api-version": "1.1"}, "name": project, "files": entries}
                self._pages[f"/{place}/{project}/"] = json.dumps(page).encode()
        snapshot = self

        class Handler(_Handler):
            pages, files = snapshot._pages, snapshot._files

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False

    @classmethod
    def of(cls, name: str) -> Self:
        """The snapshot of a case."""
        return cls(json.loads(gzip.decompress(path(name).read_bytes())))

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def options(self) -> list[str]:
        """What makes a command ask this server alone."""
        root = f"http://127.0.0.1:{self._server.server_address[1]}"
        return ["--index-url", f"{root}/simple", "--pytorch-index-url", f"{root}/whl", "--retries", "0"]

    def _entry(self, folder: str, file: Mapping[str, Any], texts: list[str]) -> dict[str, Any]:
        """A file as the page lists it; what is to be had of it is kept."""
        name = file["filename"]
        url = f"/files/{folder}/{name}"
        text = texts[file["metadata"]] if "metadata" in file else ""
        entry = {key: value for key, value in file.items() if key not in {"metadata", "sha256"}}
        entry |= {"url": quote(url), "hashes": {"sha256": file["sha256"]} if "sha256" in file else {}}
        if text and name.endswith(".whl"):
            self._files[f"{url}.metadata"] = text.encode()
            entry["core-metadata"] = {"sha256": hashlib.sha256(text.encode()).hexdigest()}
        elif text:
            project, version = name.removesuffix(".tar.gz").removesuffix(".zip").rsplit("-", 1)
            made = sdist(project, version, pkg_info=text, form="zip" if name.endswith(".zip") else "tar.gz")
            self._files[url] = made.data
            entry["hashes"] = {"sha256": made.sha256}
        return entry


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    pages: Mapping[str, bytes]
    files: Mapping[str, bytes]

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        asked = unquote(self.path)
        body = self.pages.get(asked, self.files.get(asked))
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Type", JSON if asked in self.pages else "application/octet-stream")
        self.send_header("Cache-Control", "max-age=600")
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")
