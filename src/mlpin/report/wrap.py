"""Text in lines of 80 columns."""

from __future__ import annotations

import textwrap

WIDTH = 80


def wrapped(text: str, first: str, rest: str) -> list[str]:
    """`text` in lines; `first` stands before the first one, `rest` before the others."""
    return textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )
