"""Small words that every report shares: lists, counts, and text that a terminal shows as it is."""

from __future__ import annotations

from collections.abc import Sequence

_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def joined(parts: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join(part for part in (", ".join(parts[:-1]), *parts[-1:]) if part)


def counted(count: int, noun: str) -> str:
    """`1 package`, `2 packages`."""
    return f"{count} {noun}{'s' * (count != 1)}"


def visible(text: str) -> str:
    """`text` in one line, with what cannot be seen (control characters, marks of direction) spelled out."""
    if text.isprintable():
        return text
    return "".join(" " if char in "\t\n\r" else _spelled(char) for char in text)


def _spelled(char: str) -> str:
    import unicodedata

    if unicodedata.category(char) not in _UNSEEN:
        return char
    return f"\\x{ord(char):02x}" if ord(char) < 256 else f"\\u{ord(char):04x}"
