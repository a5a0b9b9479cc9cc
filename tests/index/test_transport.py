"""Requests over real sockets: retries, redirects, credentials, broken answers."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from mlpin.errors import IndexUnavailable, InputError
from mlpin.index.transport import Connection, Transport
from tests.index.server import IndexServer, basic
from tests.wheels import wheel

Serve = Callable[..., IndexServer]


class Naps:
    """Stands for `time.sleep`: what would have been slept."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)


@pytest.fixture
def naps() -> Naps:
    return Naps()


@pytest.fixture
def connect(environ: dict[str, str], naps: Naps) -> Iterator[Callable[..., Transport]]:
    made: list[Transport] = []

    def start(**facts: Any) -> Transport:
        made.append(Transport(Connection(**({"sleep": naps, "timeout": 5.0} | facts))))
        return made[-1]

    yield start
    for transport in made:
        transport.close()


Connect = Callable[..., Transport]


def test_an_answer_as_it_came(serve: Serve, connect: Connect) -> None:
    index = serve(wheel("a", "1.0"))
    transport = connect()
    answer = transport.get(f"{index.url}/a/", headers={"Accept": "text/html"})
    assert (answer.status, answer.url, answer.headers["content-type"]) == (
        200,
        f"{index.url}/a/",
        "text/html; charset=utf-8",
    )
    assert b"a-1.0-py3-none-any.whl" in answer.body
    assert transport.get(f"{index.url}/b/").status == 404
    assert transport.requests == 2


def test_not_modified_is_an_answer_and_no_redirect(serve: Serve, connect: Connect) -> None:
    index = serve(wheel("a", "1.0"))
    transport = connect()
    etag = transport.get(f"{index.url}/a/").headers["etag"]
    assert transport.get(f"{index.url}/a/", headers={"If-None-Match": etag}).status == 304
    assert len(index.asked) == 2


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(serve: Serve, connect: Connect, naps: Naps, status: int) -> None:
    index = serve(wheel("a", "1.0"))
    index.fault("/simple/a/", status, times=2)
    assert connect(retries=2).get(f"{index.url}/a/").status == 200
    assert len(index.asked) == 3
    assert naps.taken == sorted(naps.taken)
    assert len(naps.taken) == 2


def test_what_does_not_pass_is_an_error_that_says_how_often(serve: Serve, connect: Connect) -> None:
    index = serve()
    index.fault("/simple/a/", 503)
    with pytest.raises(IndexUnavailable, match=r"503 \(3 tries\)") as caught:
        connect(retries=2).get(f"{index.url}/a/")
    assert caught.value.where == f"{index.url}/a/"
    assert len(index.asked) == 3


@pytest.mark.parametrize(
    ("status", "words"), [(401, "wants credentials"), (403, "wants credentials"), (501, "answered 501"), (505, "505")]
)
def test_what_will_not_pass_is_asked_once(serve: Serve, connect: Connect, status: int, words: str) -> None:
    index = serve()
    index.fault("/simple/a/", status)
    with pytest.raises(IndexUnavailable, match=words):
        connect().get(f"{index.url}/a/")
    assert len(index.asked) == 1


@pytest.mark.parametrize(
    ("after", "wait"),
    [
        ("0", (0, 0)),
        ("7", (7, 7)),
        (timedelta(seconds=40), (1, 40)),
        (timedelta(days=-1), (0, 0)),
        ("soon", (0, 5)),
        ("\N{SUPERSCRIPT TWO}", (0, 5)),
    ],
)
def test_retry_after_is_honoured(
    serve: Serve, connect: Connect, naps: Naps, after: str | timedelta, wait: tuple[float, float]
) -> None:
    if isinstance(after, timedelta):
        after = format_datetime(datetime.now(UTC) + after, usegmt=True)
    index = serve(wheel("a", "1.0"))
    index.fault("/simple/a/", 429, times=1, headers={"Retry-After": after.encode().decode("latin-1")})
    assert connect().get(f"{index.url}/a/").status == 200
    assert len(naps.taken) == 1
    assert wait[0] <= naps.taken[0] <= wait[1]


def test_a_wait_that_is_too_long_is_not_taken(serve: Serve, connect: Connect, naps: Naps) -> None:
    index = serve()
    index.fault("/simple/a/", 429, headers={"Retry-After": "3600"})
    with pytest.raises(IndexUnavailable, match="429"):
        connect().get(f"{index.url}/a/")
    assert (len(index.asked), naps.taken) == (1, [])


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_breaks_off_is_asked_for_again(serve: Serve, connect: Connect, chunked: bool) -> None:
    index = serve(wheel("a", "1.0"), chunked=chunked)
    index.page("a", "<html><body>" + "x" * 500, times=2, cut=100)
    assert connect(retries=2).get(f"{index.url}/a/").status == 200
    assert len(index.asked) == 3


def test_a_body_that_always_breaks_off_is_an_error(serve: Serve, connect: Connect) -> None:
    index = serve()
    index.page("a", "x" * 500, cut=100)
    with pytest.raises(IndexUnavailable, match="broke off"):
        connect(retries=1).get(f"{index.url}/a/")
    assert len(index.asked) == 2


def test_a_download_that_breaks_off_starts_anew(serve: Serve, connect: Connect) -> None:
    built = wheel("a", "1.0")
    index = serve(built)
    index.fault(f"/files/{built.filename}", 200, times=1, body=b"other" * 100, cut=200)
    file = io.BytesIO()
    assert connect().download(f"{index.root}/files/{built.filename}", file) == (200, built.sha256)
    assert file.getvalue() == built.data
    assert connect().download(f"{index.root}/files/none.whl", io.BytesIO()) == (404, "")


def test_a_body_larger_than_wanted_is_refused(serve: Serve, connect: Connect) -> None:
    index = serve()
    index.page("a", "x" * 3000)
    with pytest.raises(IndexUnavailable, match="larger than"):
        connect().get(f"{index.url}/a/", limit=1000)


@pytest.mark.parametrize("head", [True, False])
def test_the_size_of_a_file(serve: Serve, connect: Connect, head: bool) -> None:
    built = wheel("a", "1.0")
    index = serve(built, head=head)
    assert connect().size(f"{index.root}/files/{built.filename}") == (len(built.data) if head else None)
    index.fault(f"/files/{built.filename}", 501)
    assert connect().size(f"{index.root}/files/{built.filename}") is None


# -- redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(serve: Serve, connect: Connect, status: int) -> None:
    index, other = serve(), serve(wheel("a", "1.0"))
    index.fault("/simple/a/", status, headers={"Location": f"{other.url}/a/"})
    answer = connect().get(f"{index.url}/a/")
    assert (answer.status, answer.url) == (200, f"{other.url}/a/")


def test_a_relative_redirect(serve: Serve, connect: Connect) -> None:
    index = serve(wheel("a", "1.0"))
    assert connect().get(f"{index.url}/a").url == f"{index.url}/a/"


def test_a_circle_ends(serve: Serve, connect: Connect) -> None:
    index = serve()
    index.fault("/simple/a/", 302, headers={"Location": "/simple/a/"})
    with pytest.raises(IndexUnavailable, match="302"):
        connect().get(f"{index.url}/a/")
    assert len(index.asked) == 11


@pytest.mark.parametrize(
    "target",
    ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://[::1", "http://127.0.0.1:x/", "gopher:", "http://a b/"],
)
def test_a_redirect_to_what_cannot_be_asked(serve: Serve, connect: Connect, target: str) -> None:
    index = serve()
    index.fault("/simple/a/", 302, headers={"Location": target})
    with pytest.raises(IndexUnavailable):
        connect().get(f"{index.url}/a/")


def test_a_redirect_to_nowhere_is_an_answer(serve: Serve, connect: Connect) -> None:
    index = serve()
    index.fault("/simple/a/", 302)
    assert connect().get(f"{index.url}/a/").status == 302
    assert len(index.asked) == 1


@pytest.mark.parametrize(
    "url", ["http://[::1", "http://127.0.0.1:port/", "http://", "nonsense", "ftp://127.0.0.1/", "http://127.0.0.1\n/x"]
)
def test_a_url_that_is_none(connect: Connect, url: str) -> None:
    with pytest.raises(IndexUnavailable):
        connect(retries=0).get(url)


def test_nobody_listens(connect: Connect, naps: Naps) -> None:
    with pytest.raises(IndexUnavailable, match="refused") as caught:
        connect(retries=1).get("http://127.0.0.1:9/simple/a/")
    assert "--offline" in (caught.value.hint or "")
    assert len(naps.taken) == 1


def test_nobody_answers(serve: Serve, connect: Connect) -> None:
    index = serve()
    index.fault("/simple/a/", hold=True)
    with pytest.raises(IndexUnavailable, match="no answer in time"):
        connect(retries=0, timeout=0.2).get(f"{index.url}/a/")


# -- credentials


def sent(index: IndexServer) -> list[str | None]:
    return [one.headers.get("authorization") for one in index.asked]


def test_of_an_index_they_are_sent_to_all_of_its_host(serve: Serve, connect: Connect) -> None:
    built = wheel("a", "1.0")
    index = serve(built, login=("me", "s3cret"))
    transport = connect(credentials={index.url: ("me", "s3cret")})
    assert transport.get(f"{index.url}/a/").status == 200
    assert transport.get(f"{index.root}/files/{built.filename}").status == 200
    assert sent(index) == [basic("me", "s3cret")] * 2


def test_in_a_url_they_count_first(serve: Serve, connect: Connect) -> None:
    index = serve(wheel("a", "1.0"), login=("you", "p@ss"))
    transport = connect(credentials={index.url: ("me", "wrong")})
    assert transport.get(f"http://you:p%40ss@127.0.0.1:{index.port}/simple/a/").status == 200


def test_of_two_indexes_on_one_host_each_has_its_own(serve: Serve, connect: Connect) -> None:
    index = serve()
    transport = connect(
        credentials={f"{index.root}/one/simple": ("one", "1"), f"{index.root}/another/simple": ("another", "2")}
    )
    for path in ("/one/simple/a/", "/another/simple/a/", "/one/files/a.whl"):
        transport.get(index.root + path)
    assert sent(index) == [basic("one", "1"), basic("another", "2"), basic("one", "1")]


def test_they_do_not_follow_a_redirect_to_another_host(serve: Serve, connect: Connect) -> None:
    index, other = serve(), serve(wheel("a", "1.0"))
    index.fault("/simple/a/", 302, headers={"Location": f"{other.url}/a/"})
    assert connect(credentials={index.url: ("me", "s3cret")}).get(f"{index.url}/a/").status == 200
    assert connect().get(f"http://me:s3cret@127.0.0.1:{index.port}/simple/a/").status == 200
    assert sent(index) == [basic("me", "s3cret")] * 2
    assert sent(other) == [None, None]


def test_they_do_follow_one_on_the_same_host(serve: Serve, connect: Connect) -> None:
    index = serve(wheel("a", "1.0"), login=("me", "s3cret"))
    assert connect().get(f"http://me:s3cret@127.0.0.1:{index.port}/simple/a").status == 200


def test_those_of_a_redirect_are_used_and_not_shown(serve: Serve, connect: Connect) -> None:
    index, other = serve(), serve(wheel("a", "1.0"), login=("you", "hidden"))
    index.fault("/simple/a/", 302, headers={"Location": f"http://you:hidden@127.0.0.1:{other.port}/simple/a/"})
    answer = connect().get(f"{index.url}/a/")
    assert (answer.status, answer.url) == (200, f"{other.url}/a/")


def test_netrc(serve: Serve, connect: Connect, tmp_path: Path) -> None:
    index = serve(wheel("a", "1.0"), login=("me", "s3cret"))
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password s3cret\n")
    assert connect(netrc=str(netrc)).get(f"{index.url}/a/").status == 200
    for text in ("machine elsewhere.example login me password s3cret\n", "no netrc at all {\n"):
        netrc.write_text(text)
        with pytest.raises(IndexUnavailable, match="wants credentials"):
            connect(netrc=str(netrc)).get(f"{index.url}/a/")


@pytest.mark.parametrize("status", [200, 401, 403, 404, 500, 302])
def test_no_message_shows_them(serve: Serve, connect: Connect, status: int) -> None:
    index = serve()
    if status == 200:
        index.page("a", "x" * 10_000, cut=5)
    else:
        index.fault("/simple/a/", status, headers={"Location": "/simple/a/"} if status == 302 else {})
    for url, facts in (
        (f"http://me:s3cret@127.0.0.1:{index.port}/simple/a/", {}),
        (f"{index.url}/a/?token=s3cret", {"credentials": {index.url: ("me", "s3cret")}}),
    ):
        try:
            answer = connect(retries=0, **facts).get(url)
        except IndexUnavailable as error:
            assert "s3cret" not in repr((str(error), error.where, error.hint, error.notes))
        else:
            assert "s3cret" not in answer.url.partition("?")[0]


def test_a_password_in_a_proxy_is_not_shown(connect: Connect) -> None:
    for proxy in ("nonsense://me:s3cret@127.0.0.1:9", "http://me:s3cret@127.0.0.1:9"):
        with pytest.raises(IndexUnavailable) as caught:
            connect(retries=0, proxy=proxy).get("http://index.example/simple/")
        assert "s3cret" not in str(caught.value)


def test_certificates_that_cannot_be_read(connect: Connect, tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("nothing")
    for cert in ("absent.pem", "cert.pem"):
        with pytest.raises(InputError, match="the certificates cannot be read") as caught:
            connect(cert=str(tmp_path / cert)).get("https://127.0.0.1:9/")
        assert caught.value.where == str(tmp_path / cert)
        with pytest.raises(InputError, match="the client certificate cannot be read") as caught:
            connect(client_cert=str(tmp_path / cert)).get("https://127.0.0.1:9/")
        assert caught.value.where == str(tmp_path / cert)
