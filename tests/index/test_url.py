"""Credentials in URLs: never shown, never lost."""

from __future__ import annotations

import pytest

from mlpin.index.url import redacted, split_credentials, strip_credentials, with_credentials


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://index.example/simple", "https://index.example/simple"),
        ("https://user:secret@index.example/simple", "https://****@index.example/simple"),
        ("https://token@index.example:8443/simple?x=1#y", "https://****@index.example:8443/simple?x=1#y"),
        ("https://:secret@index.example/", "https://****@index.example/"),
        ("https://@index.example/", "https://index.example/"),
        ("https://a@b:c@index.example/", "https://****@index.example/"),
        ("https://user:se/cr?e#t@index.example/simple", "https://****@index.example/simple"),
        ("https://index.example:8443/a@b/simple", "https://index.example:8443/a@b/simple"),
        ("https://[::1]:8443/a@b", "https://[::1]:8443/a@b"),
        ("git+ssh://git@host.example/repo@main", "git+ssh://git@host.example/repo@main"),
        ("git+ssh://git:secret@host.example/repo", "git+ssh://****@host.example/repo"),
        (
            "https://index.example/links?sig=abc&x=1&access_token=t",
            "https://index.example/links?sig=****&x=1&access_token=****",
        ),
        ("file:///srv/a@b/simple", "file:///srv/a@b/simple"),
        ("../wheels", "../wheels"),
    ],
)
def test_what_is_shown(url: str, shown: str) -> None:
    assert redacted(url) == shown


def test_stripped_of_credentials() -> None:
    assert strip_credentials("https://user:secret@index.example/simple#x") == "https://index.example/simple#x"
    assert strip_credentials("https://index.example/a@b") == "https://index.example/a@b"
    assert strip_credentials("git+ssh://git:secret@host.example/repo") == "git+ssh://git@host.example/repo"
    assert strip_credentials("git+ssh://git@host.example/repo") == "git+ssh://git@host.example/repo"


@pytest.mark.parametrize(
    ("url", "clean", "credentials"),
    [
        ("https://user:p%40ss%2F@index.example/s", "https://index.example/s", ("user", "p@ss/")),
        ("https://token@index.example/s", "https://index.example/s", ("token", "")),
        ("https://:secret@index.example/s", "https://index.example/s", ("", "secret")),
        ("https://@index.example/s", "https://index.example/s", None),
        ("https://index.example/s", "https://index.example/s", None),
        ("https://user:a:b@index.example/s", "https://index.example/s", ("user", "a:b")),
    ],
)
def test_taken_apart(url: str, clean: str, credentials: tuple[str, str] | None) -> None:
    assert split_credentials(url) == (clean, credentials)


def test_put_together_again() -> None:
    url = with_credentials("https://old:one@index.example:8443/s?x=1", "me@corp", "p@ss/#:")
    assert url == "https://me%40corp:p%40ss%2F%23%3A@index.example:8443/s?x=1"
    assert split_credentials(url) == ("https://index.example:8443/s?x=1", ("me@corp", "p@ss/#:"))
    assert with_credentials("https://index.example/s", "", "") == "https://index.example/s"
    assert with_credentials("file:///srv/simple", "a", "b") == "file:///srv/simple"
