from __future__ import annotations

import bz2
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlpin.errors import IndexUnavailable, InputError, MlpinError
from mlpin.index.channel_names import ChannelPlace, channel_places
from mlpin.index.channels import Channels
from mlpin.index.transport import Connection
from mlpin.settings import IndexSetting, Settings
from tests.conda.channels import BZ2, PLAIN, SHARDS, ZST, ChannelServer, channel, package, repodata

HASH = "0" * 32
FORMS = [(PLAIN,), (ZST,), (BZ2,), (PLAIN, ZST, BZ2)]
PACKAGES = (
    package("numpy", "1.26.4", "py311_0", depends=["python >=3.11", "libblas"], constrains=["scipy <2"]),
    package("numpy", "2.0.0", "py311_1", track_features="mkl other", features="mkl", license="BSD-3-Clause"),
    package("pip", "24.0", "pyh_0", noarch="python", depends=["python"]),
    package("tzdata", "2024a", noarch="generic"),
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "channels"


@pytest.fixture
def server(root: Path) -> Iterator[ChannelServer]:
    with ChannelServer(root) as started:
        yield started


def opened(*names: str, settings: Settings | None = None, subdir: str = "linux-64", **more: Any) -> Channels:
    more.setdefault("connection", Connection(timeout=5, retries=0))
    return Channels(channel_places(settings or Settings(), names), subdir, **more)


def files(channels: Channels, *names: str) -> list[str]:
    return sorted(record.filename for records in channels.records(names).values() for record in records)


def refused(channels: Channels, *names: str) -> MlpinError:
    with pytest.raises(MlpinError) as caught:
        channels.records(names or ("numpy",))
    return caught.value


# -- what is read


@pytest.mark.parametrize("form", FORMS, ids="+".join)
@pytest.mark.parametrize("remote", [False, True])
def test_each_form_of_repodata(
    root: Path, server: ChannelServer, tmp_path: Path, form: tuple[str, ...], remote: bool
) -> None:
    folder = channel(root / "one", *PACKAGES, forms=form)
    channels = opened(f"{server.url}/one" if remote else str(folder), cache=tmp_path / "cache")
    found = channels.records(["numpy", "pip", "unknown", "__glibc", "not a name"])
    assert {name: len(records) for name, records in found.items()} == {
        "numpy": 2, "pip": 1, "unknown": 0, "__glibc": 0, "not a name": 0,
    }  # fmt: skip
    one = next(record for record in found["numpy"] if record.version == "1.26.4")
    above = f"{server.url}/one" if remote else folder.as_uri()
    assert one.url == f"{above}/linux-64/numpy-1.26.4-py311_0.conda"
    assert one.channel == (f"{server.url}/one" if remote else str(folder))
    assert (one.depends, one.constrains) == (("python >=3.11", "libblas"), ("scipy <2",))
    assert (one.sha256, one.md5, one.size) == tuple(PACKAGES[0].record[key] for key in ("sha256", "md5", "size"))
    assert (one.build, one.build_number, one.subdir, one.noarch) == ("py311_0", 0, "linux-64", "")
    other = next(record for record in found["numpy"] if record.version == "2.0.0")
    assert (other.track_features, other.features, other.license) == (("mkl", "other"), "mkl", "BSD-3-Clause")
    assert [found["pip"][0].noarch, found["pip"][0].subdir, found["pip"][0].timestamp] == ["python", "noarch", 1700000000000]  # fmt: skip
    assert channels.records(["tzdata"])["tzdata"][0].noarch == "generic"
    assert channels.dropped == []


def test_shards_are_asked_for_by_name(root: Path, server: ChannelServer, tmp_path: Path) -> None:
    channel(root / "one", *PACKAGES, forms=(SHARDS,))
    channels = opened(f"{server.url}/one", cache=tmp_path / "cache")
    assert files(channels, "pip") == ["pip-24.0-pyh_0.conda"]
    assert len(server.shape()) == 3  # an index for each subdir, one shard
    assert len(channels.records(["numpy"])["numpy"]) == 2
    assert len(server.shape()) == 4
    assert channels.records(["numpy"])["numpy"][0].url.startswith(f"{server.url}/one/linux-64/numpy-")


def test_a_name_is_asked_for_once(root: Path, server: ChannelServer, tmp_path: Path) -> None:
    channel(root / "one", *PACKAGES)
    told: list[tuple[str, str]] = []
    channels = opened(f"{server.url}/one", cache=tmp_path / "cache", on_event=lambda *what: told.append(what))
    first = channels.records(["numpy", "unknown"])
    asked = len(server.asked)
    assert channels.records(["numpy", "unknown", "pip"])["numpy"] is first["numpy"]
    assert len(server.asked) == asked
    assert told == [("channel", f"{server.url}/one")]


def test_channels_stand_in_their_order(root: Path) -> None:
    for name in ("b", "a"):
        channel(root / name, package("x", name))
    found = opened(str(root / "b"), str(root / "a")).records(["x"])["x"]
    assert [(record.version, record.position) for record in found] == [("b", 0), ("a", 1)]


def test_another_platform_shares_what_was_fetched(root: Path, server: ChannelServer, tmp_path: Path) -> None:
    channel(root / "one", *PACKAGES, package("numpy", "9", subdir="osx-64"))
    channels = opened(f"{server.url}/one", cache=tmp_path / "cache", refresh=True)
    assert len(files(channels, "numpy", "pip")) == 3
    assert files(channels.at("osx-64"), "numpy", "pip") == ["numpy-9-0.conda", "pip-24.0-pyh_0.conda"]
    assert len(server.shape()) == 3


def test_of_two_formats_conda_is_taken_and_removed_files_do_not_exist(root: Path) -> None:
    packages = [package("x", kind="tar.bz2"), package("x"), package("x", "2"), package("y", kind="tar.bz2")]
    channel(root, *packages, removed=["x-2-0.conda"])
    assert files(opened(str(root)), "x", "y") == ["x-1.0-0.conda", "y-1.0-0.tar.bz2"]


BAD = {
    "x-1-0.conda": {"subdir": "linux-64", "build_number": 0, "depends": []},
    "x-2-0.conda": {"md5": HASH, "subdir": "osx-64"},
    "x-3-0.conda": {"md5": HASH, "name": "y"},
    "x-5-0.conda": {"md5": HASH},
}
ABSURD: dict[str, Any] = {
    "x-6-0.conda": {"md5": HASH, "size": "big"},
    "x-7-0.conda": {"md5": HASH, "depends": [1]},
    "x-8-0.conda": {"md5": 5},
    "x-9-0.conda": [],
    "x-10-0.conda": {"md5": HASH, "version": None},
    "x-11-0.conda": {"md5": HASH, "build_number": "1"},
}


@pytest.mark.parametrize("remote", [False, True])
@pytest.mark.parametrize("more", [{}, ABSURD], ids=["bad", "absurd"])
def test_records_that_cannot_be_used_are_dropped(
    root: Path, server: ChannelServer, tmp_path: Path, more: dict[str, Any], remote: bool
) -> None:
    def record(file: str, said: Any) -> Any:
        name, version, build = file.removesuffix(".conda").split("-")
        usual = {"name": name, "version": version, "build": build, "build_number": 0, "depends": []}
        return {**usual, **said} if isinstance(said, dict) else said

    channel(root / "one")
    repodata(root / "one/linux-64", {file: record(file, said) for file, said in {**BAD, **more}.items()})
    channels = opened(f"{server.url}/one" if remote else str(root / "one"), cache=tmp_path / "cache")
    assert files(channels, "x", "y") == ["x-5-0.conda"]
    reasons = dict(channels.dropped)
    # rattler leaves out itself what it finds under another name
    assert set(reasons) | {"x-3-0.conda"} == set({**BAD, **more}) - {"x-5-0.conda"}
    assert reasons["x-1-0.conda"] == "it has no hash"
    assert reasons["x-2-0.conda"] == "it stands in linux-64 and says that it is for osx-64"


def test_a_shard_that_cannot_be_read_is_dropped_as_a_whole(root: Path, server: ChannelServer, tmp_path: Path) -> None:
    good = package("good")
    repodata(root / "one/noarch", {}, forms=(SHARDS,))
    bad = good.record | {"name": "bad", "size": "big"}
    repodata(root / "one/linux-64", {good.filename: good.record, "bad-1-0.conda": bad}, forms=(SHARDS,))
    channels = opened(f"{server.url}/one", cache=tmp_path / "cache")
    assert files(channels, "bad", "good", "other") == [good.filename]
    assert [name for name, _ in channels.dropped] == ["bad"]


# -- who is let in

SECRETS = ("s3cret", "us3r", "tok3n")


def spotless(root: Path, *texts: object) -> None:
    for text in texts:
        assert not any(secret in str(text) + repr(text) for secret in SECRETS)
    for path in root.rglob("*"):
        assert not path.is_file() or not any(secret.encode() in path.read_bytes() for secret in SECRETS)


@pytest.mark.parametrize("how", ["url", "netrc", "mirror", "alias"])
@pytest.mark.parametrize("form", [PLAIN, SHARDS])
def test_a_login_is_sent_and_shown_nowhere(
    root: Path, server: ChannelServer, tmp_path: Path, how: str, form: str
) -> None:
    channel(root / "one", *PACKAGES, forms=(form,))
    server.login = ("us3r", "s3cret")
    base, connection, name, settings = server.url, Connection(timeout=5, retries=0), f"{server.url}/one", Settings()
    if how == "netrc":
        file = tmp_path / "netrc"
        file.write_text("machine 127.0.0.1 login us3r password s3cret\n")
        connection = connection._replace(netrc=str(file))
    elif how == "url":
        name = f"{server.with_login('us3r', 's3cret')}/one"
    elif how == "mirror":
        mirror = IndexSetting(f"{server.with_login('us3r', 's3cret')}/one", name="forge", format="conda")
        name, settings = "forge", Settings(extra_indexes=(mirror,))
    else:
        name, settings = "one", Settings(channel_alias=server.with_login("us3r", "s3cret"))
    channels = opened(name, settings=settings, cache=tmp_path / "cache", connection=connection)
    found = channels.records(["numpy"])["numpy"]
    assert found[0].url.startswith(f"{base}/one/linux-64/numpy-")
    assert found[0].channel == {"mirror": "forge", "alias": "one"}.get(how, f"{base}/one")
    spotless(tmp_path / "cache", found, channels.places)


@pytest.mark.parametrize("form", [PLAIN, ZST, SHARDS])
def test_a_token_is_sent_and_shown_nowhere(root: Path, server: ChannelServer, tmp_path: Path, form: str) -> None:
    channel(root / "one", *PACKAGES, forms=(form,))
    server.token = "tok3n"
    channels = opened(f"{server.url}/t/tok3n/one", cache=tmp_path / "cache")
    found = channels.records(["numpy", "pip"])["numpy"]
    assert (len(found), found[0].channel) == (2, f"{server.url}/one")
    assert all(one.status != 403 for one in server.asked)
    spotless(tmp_path / "cache", found, channels.places)


def test_a_login_goes_to_no_other_host(root: Path, server: ChannelServer, tmp_path: Path) -> None:
    channel(root / "one", *PACKAGES)
    channel(root / "two", *PACKAGES)
    with ChannelServer(root, login=("us3r", "s3cret")) as private:
        opened(f"{server.url}/one", f"{private.with_login('us3r', 's3cret')}/two").records(["numpy"])
    assert not any("authorization" in one.headers for one in server.asked)


@pytest.mark.parametrize("status", [0, 401, 403, 404, 500, 503])
@pytest.mark.parametrize("secret", ["login", "token"])
def test_refusals_name_the_channel_and_no_secret(
    root: Path, server: ChannelServer, tmp_path: Path, status: int, secret: str
) -> None:
    channel(root / "one", *PACKAGES)
    server.status = status
    url = f"{server.with_login('us3r', 's3cret')}/one" if secret == "login" else f"{server.url}/t/tok3n/one"
    if not status:
        server.login, server.token = (("o", "ther"), "") if secret == "login" else (None, "other")
    error = refused(opened(url, cache=tmp_path / "cache"))
    assert isinstance(error, InputError if status == 404 else IndexUnavailable)
    assert error.where is not None and error.where.startswith(f"{server.url}/one")
    assert error.hint
    if status not in {0, 404}:
        assert str(status) in error.message
    spotless(tmp_path, error.message, error.where, error.hint, error.notes, error)
    assert error.__cause__ is None
    assert error.__context__ is None or error.__suppress_context__


# -- what goes wrong


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    error = refused(opened("http://us3r:s3cret@127.0.0.1:9/one", cache=tmp_path / "cache"))
    assert isinstance(error, IndexUnavailable)
    assert "refused" in error.message
    spotless(tmp_path, error, error.hint)


def test_a_refresh_that_fails_leaves_the_cache_as_it_was(root: Path, tmp_path: Path) -> None:
    channel(root / "one", *PACKAGES)
    cache = tmp_path / "cache"
    with ChannelServer(root) as server:
        url = f"{server.url}/one"
        opened(url, cache=cache).records(["numpy"])
    assert isinstance(refused(opened(url, cache=cache, refresh=True)), IndexUnavailable)
    assert len(files(opened(url, cache=cache, offline=True), "numpy")) == 2


@pytest.mark.parametrize("remote", [False, True])
def test_no_such_channel(root: Path, server: ChannelServer, tmp_path: Path, remote: bool) -> None:
    error = refused(opened(f"{server.url}/none" if remote else str(root / "none"), cache=tmp_path / "cache"))
    assert isinstance(error, InputError)
    assert "no linux-64 and no noarch" in error.message
    assert str(error.where).endswith("/none")


@pytest.mark.parametrize("remote", [False, True])
@pytest.mark.parametrize("there", ["linux-64", "noarch"])
def test_one_subdir_is_enough(root: Path, server: ChannelServer, tmp_path: Path, there: str, remote: bool) -> None:
    channel(root / "one", package("x", subdir=there), subdirs=())
    name = f"{server.url}/one" if remote else str(root / "one")
    assert files(opened(name, cache=tmp_path / "cache"), "x") == ["x-1.0-0.conda"]
    server.forget()
    assert files(opened(name, cache=tmp_path / "cache", offline=True), "x") == ["x-1.0-0.conda"]
    assert server.asked == []


def test_a_server_that_lost_the_channel_does_not_spoil_the_cache(
    root: Path, server: ChannelServer, tmp_path: Path
) -> None:
    url, cache = f"{server.url}/one", tmp_path / "cache"
    assert isinstance(refused(opened(url, cache=cache)), InputError)
    assert isinstance(refused(opened(url, cache=cache, offline=True)), IndexUnavailable)
    channel(root / "one", package("x", subdir="noarch"), subdirs=())
    assert files(opened(url, cache=cache), "x") == ["x-1.0-0.conda"]
    channel(root / "one", package("y"), subdirs=())
    assert files(opened(url, cache=cache, refresh=True), "x", "y") == ["x-1.0-0.conda", "y-1.0-0.conda"]
    server.status = 404
    assert isinstance(refused(opened(url, cache=cache, refresh=True)), InputError)
    assert files(opened(url, cache=cache, offline=True), "x", "y") == ["x-1.0-0.conda", "y-1.0-0.conda"]


BROKEN = ["<html>Sign in</html>", '{"packages": {"x-1', "[]", "", "\0\xff"]


@pytest.mark.parametrize(
    ("broken", "form", "remote"),
    [
        *((broken, form, False) for broken in BROKEN for form in (PLAIN, ZST, BZ2)),
        *((broken, PLAIN, True) for broken in BROKEN),
        # rattler asks for these three times before it gives up
        pytest.param("<html>", ZST, True, marks=pytest.mark.long),
        pytest.param("", BZ2, True, marks=pytest.mark.long),
    ],
)
def test_broken_repodata(
    root: Path, server: ChannelServer, tmp_path: Path, broken: str, form: str, remote: bool
) -> None:
    channel(root / "one", package("x"))
    folder = root / "one/linux-64"
    (folder / "repodata.json").unlink()
    name, data = ("repodata.json", broken.encode()) if form == PLAIN else (f"repodata.json.{form}", broken.encode())
    (folder / name).write_bytes(data)
    error = refused(opened(f"{server.url}/one" if remote else str(root / "one"), cache=tmp_path / "cache"), "x")
    assert "linux-64" in f"{error.message} {error.where}"
    assert "read" in error.message or "unpacked" in error.message
    assert "/one" in str(error.where)
    assert error.hint


def test_offline(root: Path, server: ChannelServer, tmp_path: Path) -> None:
    channel(root / "one", *PACKAGES, forms=(PLAIN, SHARDS))
    channel(root / "two", *PACKAGES)
    for name in ("one", "two"):
        url, cache = f"{server.url}/{name}", tmp_path / "cache"
        error = refused(opened(url, cache=cache, offline=True))
        assert isinstance(error, IndexUnavailable)
        assert "--offline" in error.message
        assert files(opened(url, cache=cache), "pip") == ["pip-24.0-pyh_0.conda"]
        server.forget()
        assert files(opened(url, cache=cache, offline=True), "pip", "unknown") == ["pip-24.0-pyh_0.conda"]
        assert isinstance(refused(opened(url, cache=cache, offline=True, subdir="osx-64")), IndexUnavailable)
        assert server.asked == []


# -- what is kept


@pytest.mark.parametrize("headers", [{}, {"Cache-Control": "max-age=1200"}], ids=["silent", "max-age"])
@pytest.mark.parametrize("form", [PLAIN, ZST])
def test_a_second_run_downloads_nothing(
    root: Path, server: ChannelServer, tmp_path: Path, form: str, headers: dict[str, str]
) -> None:
    channel(root / "one", *PACKAGES, forms=(form,))
    server.headers, url, cache = headers, f"{server.url}/one", tmp_path / "cache"
    assert len(files(opened(url, cache=cache), "numpy")) == 2
    server.forget()
    assert len(files(opened(url, cache=cache), "numpy")) == 2
    assert server.asked == []
    channel(root / "one", package("numpy", "3"), forms=(form,))
    assert len(files(opened(url, cache=cache, refresh=True), "numpy")) == 1
    assert len(server.shape()) == 2


def test_after_ten_minutes_it_is_asked_whether_it_still_holds(
    root: Path, server: ChannelServer, tmp_path: Path
) -> None:
    channel(root / "one", *PACKAGES)
    server.etag = True
    url, cache = f"{server.url}/one", tmp_path / "cache"
    opened(url, cache=cache).records(["numpy"])
    for path in cache.glob("*.info.json"):
        os.utime(path, (time.time() - 700,) * 2)
    server.forget()
    opened(url, cache=cache).records(["numpy"])
    assert (server.sent, len(server.shape(304))) == (0, 2)
    server.forget()
    opened(url, cache=cache).records(["numpy"])
    assert server.asked == []


def test_without_a_cache_nothing_stays(
    root: Path, server: ChannelServer, environ: dict[str, str], tmp_path: Path
) -> None:
    channel(root / "one", *PACKAGES, forms=(BZ2,))
    channels = opened(f"{server.url}/one", str(root / "one"))
    assert len(files(channels, "numpy")) == 4
    channels.close()
    assert not list((tmp_path / "home").rglob("*.json"))


def test_an_interrupted_fetch_ends_at_once_and_says_nothing(root: Path, server: ChannelServer, tmp_path: Path) -> None:
    channel(root / "one", *PACKAGES)
    server.hold.clear()
    script = (
        "import os\nfrom pathlib import Path\nfrom mlpin.index.channels import Channels\n"
        "from mlpin.index.channel_names import ChannelPlace\n"
        f"channels = Channels([ChannelPlace('one', {server.url + '/one'!r})], 'linux-64', cache=Path({str(tmp_path)!r}))\n"
        "try:\n    channels.records(['numpy'])\nexcept KeyboardInterrupt:\n    os._exit(130)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - a shell's job ignores it
    )
    assert server.reached.wait(20)
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=10)
    assert (process.returncode, said) == (130, (b"", b""))
    assert time.monotonic() - started < 3


def test_a_server_that_says_nothing_is_given_up(root: Path, server: ChannelServer, tmp_path: Path) -> None:
    channel(root / "one", *PACKAGES)
    server.hold.clear()
    connection = Connection(timeout=0.3, retries=0)
    error = refused(opened(f"{server.url}/one", cache=tmp_path / "cache", connection=connection))
    assert isinstance(error, IndexUnavailable)
    assert error.message.startswith("no answer in time")


def test_a_proxy(root: Path, server: ChannelServer, tmp_path: Path) -> None:
    channel(root / "one", *PACKAGES)
    with ChannelServer(tmp_path) as proxy:
        connection = Connection(timeout=5, retries=0, proxy=proxy.url)
        refused(opened("http://channel.example/one", cache=tmp_path / "cache", connection=connection))
        assert any(one.path.startswith("http://channel.example/one/") for one in proxy.asked)


# -- how channels are named

ALIAS = "https://alias.example"


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("forge", ("forge", f"{ALIAS}/forge")),
        ("forge/label/rc", ("forge/label/rc", f"{ALIAS}/forge/label/rc")),
        ("forge/linux-64", ("forge", f"{ALIAS}/forge")),
        ("forge/noarch/", ("forge", f"{ALIAS}/forge")),
        ("https://host.example/forge/", ("https://host.example/forge", "https://host.example/forge")),
        ("https://host.example/forge/osx-arm64", ("https://host.example/forge", "https://host.example/forge")),
        ("https://user:pw@host.example/forge", ("https://host.example/forge", "https://host.example/forge")),
        ("https://host.example/t/abc-1/forge", ("https://host.example/forge", "https://host.example/forge")),
        ("https://host.example/api/t/abc/forge", ("https://host.example/api/forge", "https://host.example/api/forge")),
        ("/srv/my channel", ("/srv/my channel", "file:///srv/my%20channel")),
        ("/srv/t/x/channel", ("/srv/t/x/channel", "file:///srv/t/x/channel")),
        ("file:///srv/channel/", ("file:///srv/channel", "file:///srv/channel")),
        ("file:///srv/channel/linux-64", ("file:///srv/channel", "file:///srv/channel")),
        ("C:\\channels\\one", ("C:/channels/one", "file:///C:/channels/one")),
        ("mirrored", ("mirrored", "https://mirror.example/forge")),
        ("mirrored/linux-64", ("mirrored", "https://mirror.example/forge")),
    ],
)
def test_names(name: str, place: tuple[str, str]) -> None:
    mirror = IndexSetting("https://u:p@mirror.example/t/tk/forge", name="mirrored", format="conda")
    settings = Settings(
        channel_alias=f"{ALIAS}/", extra_indexes=(mirror, IndexSetting("https://index.example/", "forge"))
    )
    (found,) = channel_places(settings, (name, "nodefaults", name))
    assert (found.name, found.url) == place
    assert "pw" not in repr(found) and "abc" not in repr(found) and "u:p" not in repr(found)


def test_defaults_are_several() -> None:
    assert [place.url.rpartition("/")[2] for place in channel_places(Settings(), ("defaults",))] == ["main", "r"]
    windows = channel_places(Settings(), ("defaults", "pkgs/main"), "win-64")
    assert [place.url.rpartition("/")[2] for place in windows] == ["main", "r", "msys2"]
    assert {place.name for place in windows} == {"defaults"}


@pytest.mark.parametrize(
    "name",
    ["", "./here", "../up", "~/x", "s3://bucket/x", "a b", "forge::x", "linux-64", "local", "https://", "file:x", "x\0y", "forge[linux-64]"],
)  # fmt: skip
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(InputError) as caught:
        channel_places(Settings(), (name,))
    assert caught.value.hint


def test_bytes_of_the_server_are_what_is_served(root: Path) -> None:
    """The builder's own: what it writes is what conda would read."""
    folder = channel(root, *PACKAGES, forms=(PLAIN, BZ2))
    text = (folder / "noarch/repodata.json").read_bytes()
    assert bz2.decompress((folder / "noarch/repodata.json.bz2").read_bytes()) == text
    assert set(json.loads(text)["packages.conda"]) == {"pip-24.0-pyh_0.conda", "tzdata-2024a-0.conda"}
    assert ChannelPlace("x", "file:///x").is_local
