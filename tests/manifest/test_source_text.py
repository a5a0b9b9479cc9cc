"""Credentials never leave a line of the user's."""

from __future__ import annotations

import pytest

from mlpin.manifest.source_text import redacted


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://me:pw@h.example/x", "https://****@h.example/x"),
        ("a @ git+https://tok@h.example/x@v1", "a @ git+https://****@h.example/x@v1"),
        ("https://a:b@c:d@h.example", "https://****@h.example"),
        ("git+ssh://git@h.example/x", "git+ssh://git@h.example/x"),
        ("ssh://git:pw@h.example/x", "ssh://****@h.example/x"),
        ("https://${USER}:${TOKEN}@h.example", "https://${USER}:${TOKEN}@h.example"),
        ("https://u:${TOKEN}x@h.example", "https://****@h.example"),
        ("https://h.example/x?token=abc&y=1", "https://h.example/x?token=****&y=1"),
        ("https://h.example/@scope/x", "https://h.example/@scope/x"),
        ("me:pw@h.example", "me:pw@h.example"),
    ],
)
def test_redacted(text: str, expected: str) -> None:
    assert redacted(text) == expected
