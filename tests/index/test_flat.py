"""Indexes that are a directory or a page of links."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mlpin.errors import BadDistribution, IndexUnavailable
from mlpin.settings import IndexSetting, Settings
from tests.index.server import LOGIN_PAGE, IndexServer
from tests.index.test_catalog import catalogs, names
from tests.wheels import sdist, wheel

__all__ = ["catalogs"]

Serve = Callable[..., IndexServer]


def links(url: str) -> Settings:
    return Settings(no_index=True, find_links=(IndexSetting(url, format="flat", origin="the test"),))


def simple(url: str) -> Settings:
    return Settings(index_url=IndexSetting(url, origin="the test"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "a folder #1 with ünusual%20name"
    found.mkdir()
    for built in (
        wheel("a-b", "1.0", ["c"]),
        wheel("a-b", "2.0", ["d"]),
        sdist("a-b", "2.0", ["d"]),
        wheel("c", "1.0"),
    ):
        (found / built.filename).write_bytes(built.data)
    (found / "README.txt").write_text("hello")
    (found / "a_b-3.0-py3-none-any.whl").mkdir()
    return found


def test_a_directory_of_files(catalogs: Callable, folder: Path) -> None:
    catalog = catalogs(settings=links(folder.as_uri()))
    listing = catalog.listing("a-b")
    assert {version: [file.filename for file in files] for version, files in listing.versions.items()} == {
        "2.0": ["a_b-2.0-py3-none-any.whl", "a_b-2.0.tar.gz"],
        "1.0": ["a_b-1.0-py3-none-any.whl"],
    }
    assert names(catalog, "a-b", "1.0") == ["c"]
    assert names(catalog, "a-b", "2.0", index=1) == ["d"]
    assert not catalog.listing("d").found
    assert (catalog.requests, catalog.online) == (0, False)


def test_the_hash_of_a_local_file_is_computed_each_time(catalogs: Callable, folder: Path) -> None:
    path = folder / "c-1.0-py3-none-any.whl"
    for built in (wheel("c", "1.0"), wheel("c", "1.0", ["changed"])):
        path.write_bytes(built.data)
        catalog = catalogs(settings=links(folder.as_uri()))
        (file,) = catalog.listing("c").versions["1.0"]
        assert catalog.sha256(file) == built.sha256


def test_a_file_that_is_no_wheel(catalogs: Callable, folder: Path) -> None:
    (folder / "e-1.0-py3-none-any.whl").write_bytes(b"no")
    with pytest.raises(BadDistribution, match="not a readable wheel"):
        names(catalogs(settings=links(folder.as_uri())), "e", "1.0")


@pytest.mark.parametrize("make", [links, simple])
def test_a_directory_that_is_not_there(catalogs: Callable, tmp_path: Path, make: Callable) -> None:
    with pytest.raises(IndexUnavailable) as caught:
        catalogs(settings=make((tmp_path / "none").as_uri())).listing("a")
    assert "none" in (caught.value.where or "")
    assert "the test" in (caught.value.hint or "")


def test_a_page_of_links_on_this_machine(catalogs: Callable, folder: Path) -> None:
    page = folder / "links.html"
    page.write_text(f'<a href="{"c-1.0-py3-none-any.whl"}">c</a><a href="a_b-2.0.tar.gz">x</a>')
    catalog = catalogs(settings=links(page.as_uri()))
    assert list(catalog.listing("a-b").versions) == ["2.0"]
    assert names(catalog, "c", "1.0") == []


def test_a_page_of_links_on_a_server(serve: Serve, catalogs: Callable) -> None:
    built = [wheel("a-b", "1.0", ["c"]), wheel("c", "1.0"), sdist("a-b", "1.1")]
    index = serve(*built)
    rows = "".join(f'<a href="/files/{one.filename}#sha256={one.sha256}">{one.filename}</a>' for one in built)
    index.fault("/links.html", 200, body=f"<p>{rows}</p>".encode(), content_type="text/html")
    catalog = catalogs(settings=links(f"{index.root}/links.html"))
    assert list(catalog.listing("a-b").versions) == ["1.1", "1.0"]
    assert names(catalog, "a-b", "1.0") == ["c"]
    assert catalog.listing("c").found
    assert index.paths().count("/links.html") == 1


def test_a_page_of_links_is_kept_for_offline(serve: Serve, catalogs: Callable) -> None:
    built = wheel("a", "1.0", ["c"])
    index = serve(built)
    index.fault(
        "/links.html",
        200,
        body=f'<a href="/files/{built.filename}#sha256={built.sha256}">x</a>'.encode(),
        headers={"Cache-Control": "max-age=0"},
    )
    settings = links(f"{index.root}/links.html")
    names(catalogs(settings=settings))
    index.forget()
    assert names(catalogs(settings=settings, offline=True)) == ["c"]
    assert index.asked == []


@pytest.mark.parametrize(
    ("status", "body", "words"), [(404, "", "404"), (500, "", "500"), (403, "", "403"), (200, LOGIN_PAGE, "login page")]
)
def test_a_page_of_links_that_is_none(serve: Serve, catalogs: Callable, status: int, body: str, words: str) -> None:
    index = serve()
    index.fault("/links.html", status, body=body.encode(), content_type="text/html")
    with pytest.raises(IndexUnavailable, match=words):
        catalogs(settings=links(f"{index.root}/links.html")).listing("a")


def test_files_of_links_stand_beside_those_of_an_index(serve: Serve, catalogs: Callable, folder: Path) -> None:
    index = serve(wheel("a-b", "1.5"), wheel("a-b", "2.0"))
    settings = Settings(index_url=IndexSetting(index.url), find_links=(IndexSetting(folder.as_uri(), format="flat"),))
    listing = catalogs(settings=settings).listing("a-b")
    assert list(listing.versions) == ["2.0", "1.5", "1.0"]
    assert (listing.index_of("1.5"), listing.index_of("1.0")) == (index.url, folder.as_uri())
    assert [file.url.startswith("file:") for file in listing.versions["2.0"]] == [False, True]


def test_a_simple_index_on_this_machine(catalogs: Callable, tmp_path: Path) -> None:
    built = wheel("a-b", "1.0", ["c"])
    pool, page = tmp_path / "pool", tmp_path / "simple" / "a-b"
    pool.mkdir()
    page.mkdir(parents=True)
    (pool / built.filename).write_bytes(built.data)
    (page / "index.html").write_text(
        f'<html><body><a href="../../pool/{built.filename}#sha256={built.sha256}">{built.filename}</a></body></html>'
    )
    (tmp_path / "simple" / "c").mkdir()
    (tmp_path / "simple" / "c" / "c-1.0-py3-none-any.whl").write_bytes(wheel("c", "1.0").data)
    catalog = catalogs(settings=simple((tmp_path / "simple").as_uri()))
    assert names(catalog, "a-b") == ["c"]
    assert names(catalog, "c") == []
    assert catalog.listing("c").index == (tmp_path / "simple").as_uri()
    assert not catalog.listing("d").found
    assert catalog.requests == 0
