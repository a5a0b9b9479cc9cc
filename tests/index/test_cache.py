"""A cache that several processes share, and that may be cut off at any byte."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import shutil
import time
from pathlib import Path

import pytest

from mlpin.candidate import Artifact, Dependency, Metadata
from mlpin.errors import IndexUnavailable
from mlpin.index.cache import Cache
from mlpin.index.page import Page
from mlpin.index.simple import parse

INDEX = "https://index.example/simple"
KEY = "sha256:" + hashlib.sha256(b"x").hexdigest()
METADATA = Metadata("a", "1.0", ">=3", (Dependency("b", (), ">=1", text="b>=1"),), (), "wheel")


def page(versions: int = 2, name: str = "a", label: str = "") -> Page:
    links = "".join(
        f'<a href="f/{name}-{n}-py3-none-any.whl#sha256={n:064x}">{name}-{n}-py3-none-any.whl</a>\n'
        for n in range(versions)
    )
    return parse(name, "text/html", f"<html><body>{label}{links}</body></html>".encode(), f"{INDEX}/{name}/")


def records(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file())


def urls(found: Page) -> dict[str, list[str]]:
    return {version: [file.url for file in found[version]] for version in found}


def test_what_is_kept_is_found_again(tmp_path: Path) -> None:
    Cache(tmp_path).store_page(INDEX, page(), max_age=60, etag='"x"', last_modified="then")
    Cache(tmp_path).store_metadata(KEY, METADATA)
    Cache(tmp_path).store_blob("kind", "key", b"data")
    cache = Cache(tmp_path)
    stored = cache.page(INDEX, "a")
    assert stored is not None
    assert (stored.fresh, stored.etag, stored.last_modified, urls(stored.page)) == (True, '"x"', "then", urls(page()))
    assert cache.metadata(KEY) == METADATA
    assert cache.blob("kind", "key") == b"data"
    assert cache.page(INDEX + "/other", "a") is None
    assert cache.page(INDEX, "b") is None
    assert cache.metadata("sha256:other") is None
    assert cache.metadata("") is None


def test_a_page_is_fresh_as_long_as_its_index_said(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.store_page(INDEX, page(), max_age=60)
    (path,) = records(tmp_path)
    for age, fresh in ((0, True), (30, True), (61, False), (-3600, False)):
        os.utime(path, (time.time() - age, time.time() - age))
        stored = cache.page(INDEX, "a")
        assert stored is not None
        assert stored.fresh is fresh
    cache.touch_page(INDEX, "a")
    stored = cache.page(INDEX, "a")
    assert stored is not None
    assert stored.fresh


def test_what_must_not_be_kept_is_not(tmp_path: Path) -> None:
    Cache(tmp_path).store_page(INDEX, page(), max_age=-1)
    assert records(tmp_path) == []


def test_refresh_asks_again_once(tmp_path: Path) -> None:
    Cache(tmp_path).store_page(INDEX, page(), max_age=3600, etag="x")
    Cache(tmp_path).store_blob("sha256-v1", "url", b"old")
    for path in records(tmp_path):
        os.utime(path, (time.time() - 5, time.time() - 5))
    cache = Cache(tmp_path, refresh=True)
    stored = cache.page(INDEX, "a")
    assert stored is not None
    assert (stored.fresh, stored.etag) == (False, "x")
    assert cache.blob("sha256-v1", "url", lasting=False) is None
    assert cache.blob("sha256-v1", "url") == b"old"
    os.utime(records(tmp_path / "pages-v1")[0], (time.time() + 1, time.time() + 1))
    stored = cache.page(INDEX, "a")
    assert stored is not None
    assert stored.fresh


def test_a_page_cut_off_at_any_byte_is_a_miss(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.store_page(INDEX, page(), max_age=60)
    (path,) = records(tmp_path)
    data = path.read_bytes()
    for size in range(len(data)):
        path.write_bytes(data[:size])
        assert cache.page(INDEX, "a") is None, size
    path.write_bytes(data + b"x")
    assert cache.page(INDEX, "a") is None
    path.write_bytes(bytes(len(data)))
    assert cache.page(INDEX, "a") is None
    path.write_bytes(data)
    assert cache.page(INDEX, "a") is not None


def test_metadata_cut_off_at_any_byte_is_a_miss(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.store_metadata(KEY, METADATA)
    (path,) = records(tmp_path)
    data = path.read_bytes()
    for size in range(len(data)):
        path.write_bytes(data[:size])
        assert cache.metadata(KEY) is None, size
    path.write_bytes(data)
    assert cache.metadata(KEY) == METADATA


def test_a_large_page_is_read_whole_only_where_it_must(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.store_page(INDEX, page(3000), max_age=60)
    (path,) = records(tmp_path)
    assert path.stat().st_size > 200_000
    stored = cache.page(INDEX, "a")
    assert stored is not None
    assert urls(stored.page) == urls(page(3000))
    data = path.read_bytes()
    for size in (*range(0, len(data), 4999), len(data) - 1):
        path.write_bytes(data[:size])
        assert cache.page(INDEX, "a") is None, size


def test_a_page_of_very_many_versions_is_found_again(tmp_path: Path) -> None:
    """Its versions alone are more than what is read at first."""
    cache = Cache(tmp_path)
    cache.store_page(INDEX, page(12_000), max_age=60)
    stored = cache.page(INDEX, "a")
    assert stored is not None
    assert len(stored.page) == 12_000
    assert stored.page["0"][0].filename == "a-0-py3-none-any.whl"


def test_a_page_that_goes_away_while_it_is_read_is_an_error_and_no_answer(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.store_page(INDEX, page(3000), max_age=60)
    stored = cache.page(INDEX, "a")
    assert stored is not None
    assert stored.page["2999"]
    shutil.rmtree(tmp_path)
    with pytest.raises(IndexUnavailable, match="taken out of the cache"):
        stored.page["0"]


def test_a_page_of_another_project_in_its_place_is_a_miss(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.store_page(INDEX, page(name="b"), max_age=60)
    (path,) = records(tmp_path)
    shutil.copy(path, path.with_name("a"))
    assert cache.page(INDEX, "a") is None


def _write(root: Path, label: str, times: int) -> None:
    cache = Cache(root)
    for _ in range(times):
        cache.store_page(INDEX, page(40, label=label), max_age=60)
        cache.store_metadata(KEY, METADATA)


def test_two_processes_that_write_at_once(tmp_path: Path) -> None:
    """A reader sees a whole record, whoever wrote it, and nothing is left lying about."""
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write, args=(tmp_path, label, 60)) for label in ("one", "two")]
    for writer in writers:
        writer.start()
    cache = Cache(tmp_path)
    seen = 0
    while any(writer.is_alive() for writer in writers):
        stored = cache.page(INDEX, "a")
        if stored is not None:
            seen += 1
            assert urls(stored.page) == urls(page(40))
        elif seen:
            raise AssertionError("a record was missing in between")
        assert cache.metadata(KEY) in {METADATA, None}
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert len(records(tmp_path)) == 2


@pytest.mark.parametrize("blocked", ["root", "pages-v1"])
def test_where_nothing_can_be_written_nothing_is_kept(tmp_path: Path, blocked: str) -> None:
    root = tmp_path / "cache"
    if blocked == "root":
        root.write_text("a file where a directory should be")
    else:
        root.mkdir()
        (root / blocked).write_text("")
    cache = Cache(root)
    cache.store_page(INDEX, page(), max_age=60)
    cache.touch_page(INDEX, "a")
    assert cache.page(INDEX, "a") is None
    cache.store_metadata(KEY, METADATA)
    assert cache.metadata(KEY) == (None if blocked == "root" else METADATA)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="modes stop nobody here")
def test_a_directory_that_may_not_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    cache = Cache(tmp_path / "cache")
    cache.store_metadata(KEY, METADATA)
    assert cache.metadata(KEY) is None


def test_without_a_root_nothing_is_kept() -> None:
    cache = Cache(None)
    cache.store_page(INDEX, page(), max_age=60)
    cache.store_metadata(KEY, METADATA)
    assert (cache.enabled, cache.page(INDEX, "a"), cache.metadata(KEY)) == (False, None, None)


def test_no_name_of_a_file_tells_where_it_came_from(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.store_page("https://user:secret@index.example/simple", page(), max_age=60)
    cache.store_blob("sha256-v1", "https://index.example/files/a.whl?token=secret", b"x")
    names = "\n".join(str(path.relative_to(tmp_path)) for path in records(tmp_path))
    assert not any(word in names for word in ("secret", "user", "index.example", "token"))


def test_an_artifact_survives_the_cache(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.store_page(INDEX, page(1), max_age=60)
    stored = cache.page(INDEX, "a")
    assert stored is not None
    assert stored.page["0"] == (
        Artifact(
            "a-0-py3-none-any.whl", f"{INDEX}/a/f/a-0-py3-none-any.whl", (("sha256", "0" * 64),), tags="py3-none-any"
        ),
    )
