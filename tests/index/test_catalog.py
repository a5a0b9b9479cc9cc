"""What is asked of indexes, and how often: requests are counted, time is not."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mlpin.candidate import Artifact, Listing
from mlpin.errors import BadDistribution, IndexUnavailable, InputError
from mlpin.index.cache import Cache
from mlpin.index.catalog import Catalog
from mlpin.index.places import _FORBIDDEN_IS_ABSENT, Place, Places, places
from mlpin.index.transport import Connection, Transport
from mlpin.settings import IndexSetting, Settings, SuppliedMetadata
from tests.index.server import LOGIN_PAGE, IndexServer
from tests.wheels import headers, sdist, tarred, wheel

Serve = Callable[..., IndexServer]
BIG = {"big.bin": hashlib.shake_128(b"x").digest(200_000)}


@pytest.fixture
def catalogs(environ: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., Catalog]]:
    """Makes catalogs over one cache: `catalogs(index)`, or with `settings` or `places`."""
    transports: list[Transport] = []

    def make(
        *indexes: IndexServer, settings: Settings | None = None, refresh: bool = False, cache: bool = True, **more: Any
    ) -> Catalog:
        known = places(settings or of(*indexes))

        def connect() -> Transport:
            transports.append(Transport(Connection(credentials=known.credentials, sleep=lambda _: None, retries=1)))
            return transports[-1]

        return Catalog(known, Cache(tmp_path / "cache" if cache else None, refresh=refresh), connect, **more)

    yield make
    for transport in transports:
        transport.close()


Catalogs = Callable[..., Catalog]


def setting(index: IndexServer | str, name: str = "", **more: Any) -> IndexSetting:
    return IndexSetting(index if isinstance(index, str) else index.url, name, **more)


def of(*indexes: IndexServer, **more: Any) -> Settings:
    """The last is the main one; those before it are asked first."""
    return Settings(index_url=setting(indexes[-1]), extra_indexes=tuple(setting(one) for one in indexes[:-1]), **more)


def only(listing: Listing, version: str = "1.0") -> Artifact:
    (file,) = listing.versions[version]
    return file


def names(catalog: Catalog, name: str = "a", version: str = "1.0", index: int = 0) -> list[str]:
    """The names that the first file of a version depends on."""
    file = catalog.listing(name).versions[version][index]
    return [one.name for one in catalog.metadata(name, version, file).dependencies]


# -- from where metadata is taken


@pytest.mark.parametrize(
    ("behaviour", "built", "shape"),
    [
        ({}, wheel("a", "1.0", ["b"], first=BIG), ["page a", "metadata"]),
        ({"json": False}, wheel("a", "1.0", ["b"], first=BIG), ["page a", "metadata"]),
        ({"metadata": False}, wheel("a", "1.0", ["b"], first=BIG), ["page a", "range"]),
        ({"metadata": False, "json": False, "hashes": False}, wheel("a", "1.0", ["b"], first=BIG), ["page a", "range"]),
        ({"metadata": False}, wheel("a", "1.0", ["b"], last=BIG), ["page a", "range", "range"]),
        (
            {"metadata": False, "ranges": "no-suffix"},
            wheel("a", "1.0", ["b"], first=BIG),
            ["page a", "range 416", "head", "range"],
        ),
        (
            {"metadata": False, "ranges": "no-suffix", "head": False},
            wheel("a", "1.0", ["b"]),
            ["page a", "range 416", "head 405", "file"],
        ),
        (
            {"metadata": False, "ranges": "suffix-as-prefix"},
            wheel("a", "1.0", ["b"], first=BIG),
            ["page a", "range", "head", "range"],
        ),
        ({"metadata": False, "ranges": "none"}, wheel("a", "1.0", ["b"], first=BIG), ["page a", "range", "file"]),
        ({}, sdist("a", "1.0", ["b"]), ["page a", "file"]),
        ({"json": False}, sdist("a", "1.0", ["b"], form="zip"), ["page a", "file"]),
    ],
)
def test_the_cheapest_way_that_the_index_offers(
    serve: Serve, catalogs: Catalogs, behaviour: dict[str, Any], built: Any, shape: list[str]
) -> None:
    index = serve(built, **behaviour)
    assert names(catalogs(index)) == ["b"]
    assert index.shape() == shape


def test_a_metadata_file_that_is_not_there_is_done_without(serve: Serve, catalogs: Catalogs) -> None:
    built = wheel("a", "1.0", ["b"])
    index = serve(built)
    index.fault(f"/files/{built.filename}.metadata", 404)
    assert names(catalogs(index)) == ["b"]
    assert index.shape() == ["page a", "metadata 404", "range"]


def test_a_metadata_file_with_another_hash_is_refused(serve: Serve, catalogs: Catalogs) -> None:
    built = wheel("a", "1.0", ["b"])
    index = serve(built)
    index.fault(f"/files/{built.filename}.metadata", 200, body=headers("a", "1.0", ["evil"]).encode())
    with pytest.raises(BadDistribution, match="not the one whose hash"):
        names(catalogs(index))


def test_a_hash_of_another_kind_is_no_reason_to_refuse(serve: Serve, catalogs: Catalogs) -> None:
    built = wheel("a", "1.0", ["b"])
    index = serve(built)
    index.page(
        "a",
        f'<html><a href="/files/{built.filename}" data-core-metadata="sha512={"0" * 128}">{built.filename}</a></html>',
    )
    assert names(catalogs(index)) == ["b"]


def test_a_file_with_another_hash_is_refused(serve: Serve, catalogs: Catalogs) -> None:
    built = sdist("a", "1.0", ["b"])
    index = serve(built)
    index.fault(f"/files/{built.filename}", 200, body=sdist("a", "1.0", ["evil"]).data)
    with pytest.raises(BadDistribution, match="the index states"):
        names(catalogs(index))


@pytest.mark.parametrize("built", [wheel("a", "1.0"), sdist("a", "1.0")], ids=["wheel", "sdist"])
@pytest.mark.parametrize("ranges", ["full", "none"])
def test_a_file_that_is_listed_and_not_there_is_a_bad_one(
    serve: Serve, catalogs: Catalogs, built: Any, ranges: str
) -> None:
    index = serve(built, metadata=False, ranges=ranges)
    index.fault(f"/files/{built.filename}", 404)
    with pytest.raises(BadDistribution, match="not there"):
        names(catalogs(index))


def test_metadata_that_contradicts_the_name(serve: Serve, catalogs: Catalogs) -> None:
    for metadata in (True, False):
        index = serve(wheel("a", "1.0", metadata=headers("a", "2.0")), metadata=metadata)
        with pytest.raises(BadDistribution, match=r"says version 2\.0"):
            names(catalogs(index, cache=False))


def test_a_source_archive_too_large_is_not_even_asked_for(serve: Serve, catalogs: Catalogs) -> None:
    index = serve()
    catalog = catalogs(index)
    with pytest.raises(BadDistribution, match="too large"):
        catalog.metadata("a", "1.0", Artifact("a-1.0.tar.gz", f"{index.root}/files/a-1.0.tar.gz", size=1 << 40))
    assert index.asked == []


def test_supplied_metadata_asks_nothing(serve: Serve, catalogs: Catalogs) -> None:
    index = serve(sdist("a", "1.0", pkg_info=""), sdist("a", "2.0", pkg_info=""))
    catalog = catalogs(index, supplied=(SuppliedMetadata("a", "1.0", ("b",)),))
    assert names(catalog) == ["b"]
    assert index.shape() == ["page a"]
    with pytest.raises(BadDistribution, match="only by building"):
        names(catalog, version="2.0")


def test_the_hash_of_a_file_without_one_is_computed_once(serve: Serve, catalogs: Catalogs) -> None:
    built = wheel("a", "1.0")
    index = serve(built, hashes=False)
    catalog = catalogs(index)
    file = only(catalog.listing("a"))
    assert catalog.sha256(file) == catalog.sha256(file) == built.sha256
    again = catalogs(index)
    assert again.sha256(file) == built.sha256
    assert index.shape() == ["page a", "file"]
    for path in (Path(again.cache._root) / "sha256-v1").rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[:20])
    assert catalogs(index).sha256(file) == built.sha256
    assert catalogs(index, refresh=True).sha256(file) == built.sha256


# -- once


def test_each_thing_is_asked_for_once(serve: Serve, catalogs: Catalogs) -> None:
    index = serve(wheel("a", "1.0", ["b"]))
    catalog = catalogs(index)
    threads = [threading.Thread(target=names, args=(catalog,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert index.shape() == ["page a", "metadata"]


def test_an_error_is_kept_too(serve: Serve, catalogs: Catalogs) -> None:
    index = serve()
    index.fault("/simple/a/", 501)
    catalog = catalogs(index)
    for _ in range(2):
        with pytest.raises(IndexUnavailable, match="501"):
            catalog.listing("a")
    assert len(index.asked) == 1


def test_guesses_run_beside_and_their_errors_are_nobodys(serve: Serve, catalogs: Catalogs) -> None:
    index = serve(wheel("a", "1.0"), wheel("b", "1.0"))
    index.fault("/simple/c/", 501)
    catalog = catalogs(index)
    done = threading.Event()
    catalog.foresee(lambda: catalog.listing("c") and None)
    catalog.foresee(lambda: catalog.listing("b") and done.set())
    assert index.asked == []
    catalog.listing("a")
    assert done.wait(10)
    catalog.listing("b")
    assert sorted(index.shape())[:2] == ["page a", "page b"]
    with pytest.raises(IndexUnavailable):
        catalog.listing("c")


# -- what the cache spares


def test_what_is_fresh_is_not_asked_for_again(serve: Serve, catalogs: Catalogs) -> None:
    index = serve(wheel("a", "1.0", ["b"]))
    names(catalogs(index))
    index.forget()
    assert names(catalogs(index)) == ["b"]
    assert index.asked == []


@pytest.mark.parametrize("behaviour", [{"etag": True}, {"etag": False, "last_modified": True}])
def test_what_is_stale_is_asked_for_with_its_mark(serve: Serve, catalogs: Catalogs, behaviour: dict[str, Any]) -> None:
    index = serve(wheel("a", "1.0", ["b"]), cache_control="no-cache", **behaviour)
    names(catalogs(index))
    index.forget()
    assert names(catalogs(index)) == ["b"]
    assert index.shape() == ["page a 304"]


def test_what_has_no_mark_is_fetched_again_once_stale(serve: Serve, catalogs: Catalogs) -> None:
    index = serve(wheel("a", "1.0", ["b"]), cache_control="max-age=0", etag=False)
    names(catalogs(index))
    index.forget()
    names(catalogs(index))
    assert index.shape() == ["page a"]


def test_what_says_nothing_is_fresh_for_ten_minutes(serve: Serve, catalogs: Catalogs) -> None:
    index = serve(wheel("a", "1.0"), cache_control="", etag=False)
    catalogs(index).listing("a")
    catalogs(index).listing("a")
    assert index.shape() == ["page a"]


def test_refresh_asks_for_pages_and_not_for_metadata(serve: Serve, catalogs: Catalogs) -> None:
    index = serve(wheel("a", "1.0", ["b"]))
    names(catalogs(index))
    index.forget()
    index.add(wheel("a", "1.1", ["c"]))
    catalog = catalogs(index, refresh=True)
    assert list(catalog.listing("a").versions) == ["1.1", "1.0"]
    assert names(catalog) == ["b"]
    assert index.shape() == ["page a"]


def test_that_a_project_is_absent_is_kept(serve: Serve, catalogs: Catalogs) -> None:
    index = serve()
    for _ in range(2):
        assert not catalogs(index).listing("a").found
    assert index.shape() == ["page a 404"]


def test_no_store_is_honoured(serve: Serve, catalogs: Catalogs, tmp_path: Path) -> None:
    index = serve(wheel("a", "1.0"), cache_control="no-store")
    catalogs(index).listing("a")
    catalogs(index).listing("a")
    assert index.shape() == ["page a", "page a"]
    assert list((tmp_path / "cache").rglob("a")) == []


def test_broken_answers_are_not_kept(serve: Serve, catalogs: Catalogs, tmp_path: Path) -> None:
    index = serve(wheel("a", "1.0"))
    for body in (LOGIN_PAGE, "<html><body><a href='x'", "nothing"):
        index.page("a", body, times=1)
        with pytest.raises(IndexUnavailable):
            catalogs(index).listing("a")
    assert list((tmp_path / "cache").rglob("a")) == []
    assert catalogs(index).listing("a").found


def test_offline_takes_what_is_stale_and_asks_nothing(serve: Serve, catalogs: Catalogs) -> None:
    index = serve(wheel("a", "1.0", ["b"]), cache_control="max-age=0")
    names(catalogs(index))
    index.forget()
    assert names(catalogs(index, offline=True)) == ["b"]
    with pytest.raises(IndexUnavailable, match="offline") as caught:
        catalogs(index, offline=True).listing("b")
    assert caught.value.where == f"{index.url} (b)"
    assert index.asked == []


# -- several indexes


def test_a_name_never_comes_from_a_second_index(serve: Serve, catalogs: Catalogs) -> None:
    ours, main = serve(wheel("a", "1.0")), serve(wheel("a", "9.0"), wheel("b", "1.0"))
    catalog = catalogs(ours, main)
    assert list(catalog.listing("a").versions) == ["1.0"]
    assert (catalog.listing("a").index, catalog.listing("b").index) == (ours.url, main.url)
    assert main.paths() == ["/simple/b/"]


@pytest.mark.parametrize("status", [401, 403, 500])
def test_an_index_that_refuses_is_not_passed_over(serve: Serve, catalogs: Catalogs, status: int) -> None:
    ours, main = serve(), serve(wheel("a", "9.0"))
    ours.fault("/simple/a/", status)
    with pytest.raises(IndexUnavailable, match=str(status)):
        catalogs(ours, main).listing("a")
    assert main.asked == []


def test_a_page_without_files_holds_the_name(serve: Serve, catalogs: Catalogs) -> None:
    ours, main = serve(), serve(wheel("a", "9.0"))
    ours.page("a", "<html><body></body></html>")
    assert list(catalogs(ours, main).listing("a").versions) == []
    assert main.asked == []


@pytest.mark.parametrize(
    ("strategy", "versions"),
    [("unsafe-first-match", ["1.0", "0.5", "9.0"]), ("unsafe-best-match", ["9.0", "1.0", "0.5"])],
)
def test_other_strategies_join_indexes(serve: Serve, catalogs: Catalogs, strategy: str, versions: list[str]) -> None:
    ours = serve(wheel("a", "1.0"), wheel("a", "0.5"))
    main = serve(wheel("a", "9.0"), wheel("a", "1.0"), sdist("a", "1.0"))
    listing = catalogs(settings=of(ours, main, index_strategy=strategy)).listing("a")
    assert list(listing.versions) == versions
    assert [listing.index_of(version) for version in ("9.0", "1.0", "0.5")] == [main.url, ours.url, ours.url]
    assert [(file.filename, file.url.startswith(ours.root)) for file in listing.versions["1.0"]] == [
        ("a-1.0-py3-none-any.whl", True),
        ("a-1.0.tar.gz", False),
    ]


def test_an_explicit_index_serves_only_what_is_pinned_to_it(serve: Serve, catalogs: Catalogs) -> None:
    ours, main = serve(wheel("a", "1.0"), wheel("b", "1.0")), serve(wheel("a", "9.0"))
    settings = Settings(index_url=setting(main), extra_indexes=(setting(ours, "ours", explicit=True),))
    catalog = catalogs(settings=settings)
    assert catalog.listing("a", "ours").index == ours.url
    assert catalog.listing("a").index == main.url
    assert not catalog.listing("b").found
    assert ours.paths() == ["/simple/a/"]


def test_what_is_pinned_comes_from_nowhere_else(serve: Serve, catalogs: Catalogs, tmp_path: Path) -> None:
    links = tmp_path / "links"
    links.mkdir()
    (links / "a-9.0-py3-none-any.whl").write_bytes(wheel("a", "9.0").data)
    ours, main = serve(), serve(wheel("a", "9.0"))
    settings = Settings(
        index_url=setting(main),
        extra_indexes=(setting(ours, "ours"),),
        find_links=(setting(links.as_uri(), format="flat"),),
    )
    assert not catalogs(settings=settings).listing("a", "ours").found
    assert main.asked == []


def test_a_pin_to_an_index_that_is_not_there(serve: Serve, catalogs: Catalogs) -> None:
    with pytest.raises(InputError, match="no index has that name"):
        catalogs(serve()).listing("a", "ours")


def test_without_indexes_only_links_count(serve: Serve, catalogs: Catalogs, tmp_path: Path) -> None:
    (tmp_path / "a-1.0-py3-none-any.whl").write_bytes(wheel("a", "1.0").data)
    index = serve(wheel("a", "9.0"))
    catalog = catalogs(settings=of(index, no_index=True, find_links=(setting(tmp_path.as_uri(), format="flat"),)))
    assert list(catalog.listing("a").versions) == ["1.0"]
    assert index.asked == []


def test_a_host_that_forbids_what_it_does_not_have() -> None:
    assert all(Place(f"{host}whl/cu128").forbidden_is_absent for host in _FORBIDDEN_IS_ABSENT)
    assert not Place("https://index.example/simple").forbidden_is_absent


def test_credentials_of_an_index_leave_its_url(serve: Serve, catalogs: Catalogs) -> None:
    built = wheel("a", "1.0", ["b"])
    index = serve(built, login=("me", "s3cret"))
    catalog = catalogs(settings=Settings(index_url=setting(index.with_login("me", "s3cret"))))
    assert names(catalog) == ["b"]
    listing = catalog.listing("a")
    assert "s3cret" not in repr((listing.index, only(listing), catalog.places.searched))


def test_text_at_a_url(serve: Serve, catalogs: Catalogs) -> None:
    index = serve()
    index.fault("/c.txt", 200, body="größer\n".encode())
    assert catalogs(index).text(f"{index.root}/c.txt") == "größer\n"
    with pytest.raises(IndexUnavailable, match="404") as caught:
        catalogs(index).text(f"http://me:s3cret@127.0.0.1:{index.port}/none.txt?token=s3cret")
    assert "s3cret" not in str(caught.value)


def test_no_archive_leaves_the_memory(serve: Serve, catalogs: Catalogs, tmp_path: Path) -> None:
    """Members with paths that lead elsewhere are never written."""
    data = tarred(
        {
            "../../evil": b"x",
            "/evil": b"x",
            "a-1.0/PKG-INFO": headers("a", "1.0", ["b"], metadata_version="2.2").encode(),
        }
    )
    built = sdist("a", "1.0")._replace(data=data)
    before = {path for path in tmp_path.rglob("*") if "cache" not in path.parts}
    assert names(catalogs(serve(built))) == ["b"]
    assert {path for path in tmp_path.rglob("*") if "cache" not in path.parts} == before
    assert list(tmp_path.rglob("evil")) == []


def test_places_are_unique_and_in_order() -> None:
    settings = Settings(
        index_url=IndexSetting("https://main.example/simple"),
        extra_indexes=(
            IndexSetting("https://u:p@one.example/simple", "one"),
            IndexSetting("https://main.example/simple/"),
            IndexSetting("https://flat.example/x", "f", format="flat"),
        ),
    )
    found: Places = places(settings)
    assert [place.url for place in found.searched] == ["https://one.example/simple", "https://main.example/simple/"]
    assert [place.url for place in found.flat] == ["https://flat.example/x"]
    assert found.credentials == {"https://one.example/simple": ("u", "p")}
    assert set(found.named) == {"one", "f"}
