"""Pages of the Simple API as indexes really write them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlpin.candidate import Artifact
from mlpin.errors import IndexUnavailable
from mlpin.index.simple import Page, parse
from tests.index.server import LOGIN_PAGE

URL = "http://index.example/simple/a-b/"
JSON = "application/vnd.pypi.simple.v1+json"
SHA = "0123456789abcdef" * 4


def html_page(*anchors: str, head: str = "") -> Page:
    body = f"<!DOCTYPE html>\n<html><head>{head}</head><body>\n" + "<br/>\n".join(anchors) + "\n</body></html>"
    return parse("a-b", "text/html; charset=UTF-8", body.encode(), URL)


def json_page(*files: dict[str, Any], **top: Any) -> Page:
    page = {"meta": {"api-version": "1.4"}, "name": "a-b", "files": list(files), **top}
    return parse("a-b", JSON, json.dumps(page).encode(), URL)


def only(page: Page) -> Artifact:
    (files,) = page.values()
    (file,) = files
    return file


def anchor(attributes: str, name: str = "a_b-1.0-py3-none-any.whl") -> str:
    return f"<a {attributes}>{name}</a>"


# -- HTML (PEP 503)


def test_an_anchor_with_all_that_there_can_be() -> None:
    found = only(
        html_page(
            anchor(
                f'href="../../files/a_b-1.0-py3-none-any.whl#sha256={SHA}" data-requires-python="&gt;=3.8,&lt;4" '
                f'data-yanked="broken &amp; gone" data-core-metadata="sha256={SHA}" data-gpg-sig="true"'
            )
        )
    )
    assert found == Artifact(
        "a_b-1.0-py3-none-any.whl",
        "http://index.example/files/a_b-1.0-py3-none-any.whl",
        (("sha256", SHA),),
        ">=3.8,<4",
        "broken & gone",
        None,
        "",
        f"sha256:{SHA}",
        "py3-none-any",
    )


@pytest.mark.parametrize(
    "attributes",
    [
        'href="f/a_b-1.0-py3-none-any.whl"',
        "href='f/a_b-1.0-py3-none-any.whl'",
        "href=f/a_b-1.0-py3-none-any.whl",
        'HREF = "f/a_b-1.0-py3-none-any.whl"',
        'rel="internal" href="f/a_b-1.0-py3-none-any.whl"',
        'href="/simple/a-b/f/a_b-1.0-py3-none-any.whl"',
        'href="//index.example/simple/a-b/f/a_b-1.0-py3-none-any.whl"',
        'href="./f/../f/a_b-1.0-py3-none-any.whl"',
        'class="x y"\n   href="f/a_b-1.0-py3-none-any.whl"',
        'title="1 > 0" href="f/a_b-1.0-py3-none-any.whl"',
        'href="f/a_b-1.0-py3-none-any.whl" /',
    ],
)
def test_spellings_of_a_link(attributes: str) -> None:
    assert only(html_page(anchor(attributes))).url == "http://index.example/simple/a-b/f/a_b-1.0-py3-none-any.whl"


def test_an_unescaped_greater_than_in_an_attribute() -> None:
    found = only(html_page(anchor('href="a_b-1.0-py3-none-any.whl" data-requires-python=">=3.8"')))
    assert found.requires_python == ">=3.8"


@pytest.mark.parametrize(
    ("attribute", "yanked"),
    [
        ("", None),
        ("data-yanked", ""),
        ('data-yanked=""', ""),
        ('data-yanked="why"', "why"),
        ("data-yanked='a \"b\"'", 'a "b"'),
        ('DATA-YANKED="why"', "why"),
    ],
)
def test_yanked(attribute: str, yanked: str | None) -> None:
    assert only(html_page(anchor(f'href="a_b-1.0-py3-none-any.whl" {attribute}'))).yanked == yanked
    assert only(html_page(anchor(f'{attribute} href="a_b-1.0-py3-none-any.whl"'))).yanked == yanked


@pytest.mark.parametrize(
    ("attribute", "stated"),
    [
        ("", ""),
        ('data-dist-info-metadata="sha256=' + SHA + '"', f"sha256:{SHA}"),
        ('data-core-metadata="sha256=' + SHA + '"', f"sha256:{SHA}"),
        ('data-core-metadata="true"', "true"),
        ('data-core-metadata="false" data-dist-info-metadata="true"', ""),
        ('data-core-metadata="true" data-dist-info-metadata="false"', "true"),
    ],
)
def test_metadata_files_under_both_names(attribute: str, stated: str) -> None:
    assert only(html_page(anchor(f'href="a_b-1.0-py3-none-any.whl" {attribute}'))).metadata == stated


@pytest.mark.parametrize(
    ("fragment", "hashes"),
    [
        ("", ()),
        (f"#sha256={SHA}", (("sha256", SHA),)),
        (f"#sha256={SHA.upper()}", (("sha256", SHA),)),
        ("#md5=d41d8cd98f00b204e9800998ecf8427e", (("md5", "d41d8cd98f00b204e9800998ecf8427e"),)),
        ("#egg=a-b", ()),
        (f"#egg=a-b&sha256={SHA}", (("sha256", SHA),)),
        ("#sha256=nonsense", ()),
    ],
)
def test_hashes(fragment: str, hashes: tuple[tuple[str, str], ...]) -> None:
    found = only(html_page(anchor(f'href="a_b-1.0-py3-none-any.whl{fragment}"')))
    assert (found.hashes, found.url) == (hashes, URL + "a_b-1.0-py3-none-any.whl")


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ('<base href="https://files.example/pool/">', "https://files.example/pool/a_b-1.0-py3-none-any.whl"),
        ("<base target=_top href='/pool/'>", "http://index.example/pool/a_b-1.0-py3-none-any.whl"),
        ("<BASE HREF=../pool/>", "http://index.example/simple/pool/a_b-1.0-py3-none-any.whl"),
    ],
)
def test_a_base_moves_relative_links(base: str, expected: str) -> None:
    assert only(html_page(anchor('href="a_b-1.0-py3-none-any.whl"'), head=base)).url == expected


def test_a_base_in_a_comment_moves_nothing() -> None:
    page = html_page(anchor('href="a_b-1.0-py3-none-any.whl"'), head='<!-- <base href="https://files.example/"> -->')
    assert only(page).url == URL + "a_b-1.0-py3-none-any.whl"


def test_comments_hide_what_is_in_them() -> None:
    page = html_page(
        "<!-- " + anchor('href="a_b-2.0-py3-none-any.whl"', "a_b-2.0-py3-none-any.whl") + "\n -->",
        anchor('href="a_b-1.0-py3-none-any.whl"'),
    )
    assert list(page) == ["1.0"]


def test_the_name_is_taken_from_the_link_where_the_text_is_none() -> None:
    page = html_page(
        '<a href="a_b-1.0-py3-none-any.whl"><b>a_b-1.0</b></a>',
        '<a href="a%5fb-2.0%2Bcu1-py3-none-any.whl?x=y#z"> download </a>',
        '<a href="a-b-3.0.tar.gz">\n  a-b-3.0.tar.gz\n</a>',
    )
    assert list(page) == ["3.0", "2.0+cu1", "1.0"]


def test_versions_come_newest_first_and_files_keep_their_order() -> None:
    names = ["a_b-1.9.tar.gz", "a_b-1.10-py3-none-any.whl", "a_b-1.10rc1.tar.gz", "a_b-1.10.tar.gz", "a_b-1!0.1.tar.gz"]
    page = html_page(*(anchor(f'href="{name}"', name) for name in names))
    assert list(page) == ["1!0.1", "1.10", "1.10rc1", "1.9"]
    assert [file.filename for file in page["1.10"]] == ["a_b-1.10-py3-none-any.whl", "a_b-1.10.tar.gz"]


def test_what_cannot_be_read_is_told() -> None:
    page = html_page(anchor('href="a_b-1.0.exe"', "a_b-1.0.exe"), anchor('href="c-1.0.tar.gz"', "c-1.0.tar.gz"))
    assert (list(page), [name for name, _ in page.unreadable]) == ([], ["a_b-1.0.exe", "c-1.0.tar.gz"])


def test_a_link_is_never_given_credentials_of_the_page() -> None:
    found = only(html_page(anchor('href="https://user:secret@files.example/a_b-1.0-py3-none-any.whl"')))
    assert found.url == "https://files.example/a_b-1.0-py3-none-any.whl"


@pytest.mark.parametrize(
    "meta",
    [
        '<meta name="pypi:repository-version" content="2.0">',
        "<meta content='2.0' name='pypi:repository-version'>",
        "<META NAME=pypi:repository-version CONTENT=2.0>",
    ],
)
def test_another_major_version_is_refused(meta: str) -> None:
    with pytest.raises(IndexUnavailable, match="speaks version 2 of the Simple API"):
        html_page(anchor('href="a_b-1.0-py3-none-any.whl"'), head=meta)


def test_another_minor_version_is_not() -> None:
    assert list(
        html_page(
            anchor('href="a_b-1.0-py3-none-any.whl"'), head='<meta name="pypi:repository-version" content="1.99">'
        )
    )
    assert list(json_page({"filename": "a_b-1.0.tar.gz", "url": "x"}, meta={"api-version": "1.99"}))
    with pytest.raises(IndexUnavailable, match="speaks version 2"):
        json_page(meta={"api-version": "2.0"})


def test_a_page_without_files_is_a_page() -> None:
    assert (dict(html_page()), html_page().kind) == ({}, "html")
    assert dict(json_page()) == {}


def test_a_login_page_is_none() -> None:
    with pytest.raises(IndexUnavailable, match="login page"):
        parse("a-b", "text/html", LOGIN_PAGE.encode(), URL)
    with pytest.raises(IndexUnavailable, match="login page"):
        parse("a-b", "text/html", LOGIN_PAGE.replace("<a ", "<b ").encode(), URL)


@pytest.mark.parametrize("body", [b"", b"ok", b"\x00\xff\xfe", b"<html><body><a href='a_b-1.0.tar.gz'>a_b-1.0.ta"])
def test_what_is_no_page_or_half_of_one(body: bytes) -> None:
    with pytest.raises(IndexUnavailable):
        parse("a-b", "text/html", body, URL)


def test_other_types_are_refused_with_the_reason() -> None:
    with pytest.raises(IndexUnavailable, match="application/pdf"):
        parse("a-b", "application/pdf", b"%PDF", URL)


# -- JSON (PEP 691, 700, 714)


def test_a_file_with_all_that_there_can_be() -> None:
    found = only(
        json_page(
            {
                "filename": "a_b-1.0-py3-none-any.whl",
                "url": "../../files/a_b-1.0-py3-none-any.whl#x",
                "hashes": {"sha256": SHA.upper(), "blake2b": "ab"},
                "requires-python": ">=3.8",
                "yanked": "broken",
                "size": 12,
                "upload-time": "2024-01-02T03:04:05.678901Z",
                "core-metadata": {"sha256": SHA},
                "provenance": None,
            }
        )
    )
    assert found == Artifact(
        "a_b-1.0-py3-none-any.whl",
        "http://index.example/files/a_b-1.0-py3-none-any.whl",
        (("blake2b", "ab"), ("sha256", SHA)),
        ">=3.8",
        "broken",
        12,
        "2024-01-02T03:04:05.678901Z",
        f"sha256:{SHA}",
        "py3-none-any",
    )


@pytest.mark.parametrize(
    ("more", "field", "value"),
    [
        ({"yanked": False}, "yanked", None),
        ({"yanked": True}, "yanked", ""),
        ({"yanked": ""}, "yanked", ""),
        ({"yanked": None}, "yanked", None),
        ({"yanked": "why"}, "yanked", "why"),
        ({"core-metadata": False}, "metadata", ""),
        ({"core-metadata": True}, "metadata", "true"),
        ({"core-metadata": {}}, "metadata", "true"),
        ({"dist-info-metadata": {"sha256": SHA}}, "metadata", f"sha256:{SHA}"),
        ({"core-metadata": False, "dist-info-metadata": {"sha256": SHA}}, "metadata", ""),
        ({"requires-python": None}, "requires_python", ""),
        (
            {"url": "https://u:p@files.example/a_b-1.0-py3-none-any.whl"},
            "url",
            "https://files.example/a_b-1.0-py3-none-any.whl",
        ),
    ],
)
def test_spellings_of_json(more: dict[str, Any], field: str, value: object) -> None:
    found = only(json_page({"filename": "a_b-1.0-py3-none-any.whl", "url": "x.whl", "hashes": {}} | more))
    assert getattr(found, field) == value


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("url", None),
        ("url", 5),
        ("url", "http://[::1"),
        ("hashes", None),
        ("hashes", "sha256"),
        ("hashes", {"sha256": None}),
        ("requires-python", 3.8),
        ("size", "12"),
        ("size", True),
        ("upload-time", 1_700_000_000),
        ("upload-time", "yesterday"),
        ("core-metadata", {"sha256": 5}),
        ("core-metadata", ["sha256"]),
        ("yanked", 0),
        ("filename", None),
        ("filename", ["x"]),
    ],
)
def test_a_field_of_the_wrong_kind_breaks_no_other_file(field: str, wrong: object) -> None:
    good = {"filename": "a_b-1.0-py3-none-any.whl", "url": "x.whl", "hashes": {"sha256": SHA}}
    bad = {"filename": "a_b-1.0-1-py3-none-any.whl", "url": "y.whl", "hashes": {}, field: wrong}
    page = json_page(bad, good)
    files = page["1.0"]
    assert files[-1].filename == "a_b-1.0-py3-none-any.whl"
    for file in files:
        assert all(
            isinstance(text, str)
            for text in (file.filename, file.url, file.requires_python, file.upload_time, file.metadata)
        )
        assert file.size is None or type(file.size) is int
        assert all(isinstance(value, str) for _, value in file.hashes)
    if field == "upload-time":
        assert files[0].upload_time == ""


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"meta": {}, "files": []}',
        b'{"meta": {"api-version": "x"}, "files": []}',
        b'{"meta": {"api-version": "1.0"}}',
        b'{"meta": {"api-version": "1.0"}, "files": {"a": 1}}',
        b'{"meta": {"api-version": "1.0"}, "files": [1]}',
        b'{"meta": {"api-version": "1.0"}, "files": 1}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_json_that_is_no_page(body: bytes) -> None:
    with pytest.raises(IndexUnavailable):
        parse("a-b", JSON, body, URL)


def test_plain_json_and_its_parameters() -> None:
    body = json.dumps({"meta": {"api-version": "1.0"}, "files": []}).encode()
    assert parse("a-b", "application/json; charset=utf-8", body, URL).kind == "json"


# -- as the cache keeps it


def pages() -> list[Page]:
    return [
        html_page(
            anchor(f'href="a_b-1.0-py3-none-any.whl#sha256={SHA}" data-yanked'),
            anchor('href="x"', "a_b-1.0.exe"),
            head='<base href="/p/">',
        ),
        json_page({"filename": "a_b-1.0-py3-none-any.whl", "url": "x", "hashes": {"sha256": SHA}, "yanked": "größer"}),
        Page.absent("a-b"),
    ]


@pytest.mark.parametrize("page", pages(), ids=["html", "json", "absent"])
def test_what_is_stored_is_what_is_read(page: Page) -> None:
    loaded = Page.load(page.dump(etag="x"))
    assert loaded is not None
    again, header = loaded
    assert (dict(again), again.kind, again.base, again.unreadable) == (
        dict(page),
        page.kind,
        page.base,
        page.unreadable,
    )
    assert header["etag"] == "x"


@pytest.mark.parametrize("page", pages(), ids=["html", "json", "absent"])
def test_cut_off_anywhere_it_is_nothing(page: Page) -> None:
    data = page.dump()
    assert [size for size in range(len(data)) if Page.load(data[:size]) is not None] == []
    assert Page.load(data + b"x") is None
    assert Page.load(bytes(len(data))) is None


# -- JSON is taken apart without being parsed where that is safe: the result must be the same


_ODD = st.sampled_from(
    [
        "",
        "x",
        "}]",
        "},{",
        '"',
        '"filename"',
        '},{"filename":"a_b-9.tar.gz"',
        "\\",
        "é\N{SNOWMAN}",
        "[{",
        "}], ",
        "a_b-1.0.tar.gz",
        "\n",
    ]
)
_TEXT = st.lists(_ODD, max_size=3).map("".join)
_VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | _TEXT,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["filename", "files", "x"]) | _TEXT, inner, max_size=2)
    ),
    max_leaves=5,
)
_FILE = st.fixed_dictionaries(
    {
        "filename": st.sampled_from(["a_b-1.0.tar.gz", "a_b-1.0-py3-none-any.whl", "a_b-2.0.zip", "other"]) | _TEXT,
        "url": st.just("x") | _TEXT,
    },
    optional={"yanked": _VALUE, "provenance": _VALUE, "hashes": st.just({"sha256": SHA}), "x": _VALUE},
)


@given(
    files=st.lists(_FILE, max_size=4),
    more=st.dictionaries(st.sampled_from(["versions", "alternate-locations", "filename"]), _VALUE, max_size=2),
    first=st.booleans(),
    form=st.sampled_from([(",", ":"), (", ", ": "), (",", ": ")]),
)
@settings(max_examples=200, deadline=None)
def test_taken_apart_or_parsed_a_page_is_the_same(
    files: list[dict[str, Any]], more: dict[str, Any], first: bool, form: tuple[str, str]
) -> None:
    head = {"meta": {"api-version": "1.1"}, "name": "a-b"}
    page = {**more, **head, "files": files} if first else {**head, "files": files, **more}
    expected = parse("a-b", JSON, json.dumps(page, indent=1).encode(), URL)
    for escaped in (True, False):
        found = parse("a-b", JSON, json.dumps(page, separators=form, ensure_ascii=escaped).encode(), URL)
        assert list(found) == list(expected)
        assert [found[version] for version in found] == [expected[version] for version in expected]
        assert found.unreadable == expected.unreadable


@pytest.mark.parametrize(
    "files",
    [
        '[{"filename":"a_b-1.0.tar.gz","url":x}]',
        '[{"filename":"a_b-1.0.tar.gz","url":"x"},{"filename":"a_b-1.1.tar.gz",}]',
        '[{"filename":"a_b-1.0.tar.gz","url":"x"},{"filename":"a_b-1.1.tar.gz"},]',
        '[{"filename":"a_b-1.0.tar.gz"',
        '[{"filename":"a_b-1.0.tar.gz"}',
        '[{"filename":"a_b-1.0.tar.gz","url":"x"}]]',
    ],
)
def test_json_that_is_broken_in_the_middle(files: str) -> None:
    """Whether it is found out at once or when the version is looked at."""
    body = '{"meta":{"api-version":"1.0"},"name":"a-b","files":' + files + "}"
    with pytest.raises(IndexUnavailable):
        dict(parse("a-b", JSON, body.encode(), URL))
