"""Logins from keyring, and proxies on the way to an index."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlpin.index.credentials import proxy_for
from mlpin.index.transport import Connection, Transport
from tests.index.server import IndexServer, basic
from tests.wheels import wheel

Serve = Callable[..., IndexServer]


@pytest.fixture
def keyring(environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A command `keyring` that is found first; it notes what it was asked and answers with what stands in `answer`."""
    folder = tmp_path / "bin"
    folder.mkdir()
    command = folder / "keyring"
    command.write_text(
        f"#!{sys.executable}\nimport sys\n"
        f"open({str(folder / 'asked')!r}, 'a').write(' '.join(sys.argv[1:]) + '\\n')\n"
        f"text = open({str(folder / 'answer')!r}).read()\nprint(text, end='')\nsys.exit(0 if text else 1)\n"
    )
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{environ['PATH']}")
    return folder


@pytest.mark.skipif(os.name != "posix", reason="a script stands for the command")
def test_keyring_is_asked_once_for_a_host_and_only_if_wanted(serve: Serve, keyring: Path) -> None:
    index = serve(wheel("a", "1.0"))
    (keyring / "answer").write_text("me\ns3cret\n")
    Transport(Connection()).get(f"{index.url}/a/")
    transport = Transport(Connection(keyring=True))
    for _ in range(2):
        transport.get(f"{index.url}/a/")
    assert [one.headers.get("authorization") for one in index.asked] == [
        None,
        basic("me", "s3cret"),
        basic("me", "s3cret"),
    ]
    assert (keyring / "asked").read_text().splitlines() == [f"--mode creds get {index.root}"]


@pytest.mark.skipif(os.name != "posix", reason="a script stands for the command")
def test_a_keyring_that_knows_nothing(serve: Serve, keyring: Path) -> None:
    index = serve(wheel("a", "1.0"))
    (keyring / "answer").write_text("")
    assert Transport(Connection(keyring=True)).get(f"{index.url}/a/").status == 200
    assert index.asked[0].headers.get("authorization") is None


@pytest.mark.parametrize(
    ("environ", "url", "proxy"),
    [
        ({}, "http://index.example/", None),
        ({"http_proxy": "http://p:1"}, "http://index.example/", "http://p:1"),
        ({"HTTP_PROXY": "http://p:1"}, "http://index.example/", "http://p:1"),
        ({"http_proxy": "http://p:1", "HTTP_PROXY": "http://q:1"}, "http://index.example/", "http://p:1"),
        ({"http_proxy": "http://p:1"}, "https://index.example/", None),
        ({"https_proxy": "p:1"}, "https://index.example/", "http://p:1"),
        ({"all_proxy": "http://p:1"}, "https://index.example/", "http://p:1"),
        ({"all_proxy": "http://p:1", "no_proxy": "other.example, index.example"}, "https://index.example/", None),
        ({"all_proxy": "http://p:1", "no_proxy": ".example"}, "https://index.example/", None),
        ({"all_proxy": "http://p:1", "no_proxy": "*"}, "https://index.example/", None),
        ({"all_proxy": "http://p:1", "NO_PROXY": "dex.example"}, "https://index.example/", "http://p:1"),
        ({"all_proxy": "http://p:1", "no_proxy": "index.example:8443"}, "https://index.example:8443/", None),
        ({"all_proxy": "http://p:1", "no_proxy": "index.example:8443"}, "https://index.example/", "http://p:1"),
    ],
)
def test_proxies_of_the_environment(environ: dict[str, str], url: str, proxy: str | None) -> None:
    assert proxy_for(url, environ) == proxy


@pytest.mark.parametrize("way", ["setting", "environ"])
def test_a_proxy_is_asked_with_its_own_login_and_not_that_of_the_index(serve: Serve, way: str) -> None:
    proxy = serve()
    proxy.fault("http://index.example/simple/a/", 200, body=b"<html></html>", content_type="text/html")
    url = f"http://me:s3cret@127.0.0.1:{proxy.port}"
    facts = {"proxy": url} if way == "setting" else {"environ": {"http_proxy": url}}
    transport = Transport(Connection(**facts, credentials={"http://index.example/simple": ("you", "other")}))
    assert transport.get("http://index.example/simple/a/").status == 200
    (asked,) = proxy.asked
    assert asked.headers["proxy-authorization"] == basic("me", "s3cret")
    assert asked.headers["authorization"] == basic("you", "other")
