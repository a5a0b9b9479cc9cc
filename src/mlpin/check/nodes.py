"""Names of many nodes in few words: `node[001-012,015]`, as Slurm, pdsh and ClusterShell write and read them.

A set of names and its short form stand for exactly the same nodes; nothing is rounded. Names hold no brackets and no
commas: `snapshot` sees to that.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence

_DIGITS = re.compile(r"([0-9]{1,18})")


def folded(names: Iterable[str]) -> tuple[str, ...]:
    """The names with their numbers folded, in the order of the names.

    A number with leading zeros stands in a range with numbers of its own length only: `n[08-11]`, but `n[8-11]` of
    `n8` to `n11`. Numbers are folded from the last one in a name to the first: `rack[1-2]-n[01-10]`.
    """
    split: defaultdict[int, set[tuple[str, ...]]] = defaultdict(set)
    for name in names:
        parts = tuple(_DIGITS.split(name))
        split[len(parts)].add(parts)
    found: list[tuple[str, ...]] = []
    for length, rows in split.items():
        for position in range(length - 2, 0, -2):
            rows = _merged(rows, position)  # noqa: PLW2901
        found += rows
    return tuple("".join(row) for row in sorted(found, key=_order))


def _merged(rows: set[tuple[str, ...]], position: int) -> set[tuple[str, ...]]:
    """Rows that are the same but for the number at `position` as one row."""
    alike: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for row in rows:
        alike[(*row[:position], "", *row[position + 1 :])].append(row[position])
    return {
        (*row[:position], text, *row[position + 1 :]) for row, numbers in alike.items() for text in _ranges(numbers)
    }


def _ranges(numbers: Sequence[str]) -> list[str]:
    """The numbers in brackets, those of each width that is padded by themselves."""
    padded = {len(number) for number in numbers if number.startswith("0") and number != "0"}
    widths: defaultdict[int, list[int]] = defaultdict(list)
    for number in numbers:
        widths[len(number) if len(number) in padded else 0].append(int(number))
    found = []
    for width, values in sorted(widths.items()):
        pieces = []
        start = last = min(values)
        for value in [*sorted(values)[1:], -1]:
            if value == last + 1:
                last = value
                continue
            ends = (f"{start:0{width}}", f"{last:0{width}}")
            pieces.append(ends[0] if start == last else f"{ends[0]}-{ends[1]}")
            start = last = value
        alone = len(values) == 1
        found.append(pieces[0] if alone else f"[{','.join(pieces)}]")
    return found


def _order(parts: Sequence[str]) -> list[tuple[bool, int, str]]:
    """As people count: `n2` before `n10`."""
    numbers = (re.match(r"\[?([0-9]{1,18})", part) for part in parts)
    return [(not number, int(number[1]) if number else 0, part) for number, part in zip(numbers, parts, strict=True)]


def ordered(names: Iterable[str]) -> list[str]:
    """The names as people count: `n2` before `n10`."""
    return sorted(names, key=lambda name: _order(_DIGITS.split(name)))


def shown(names: Iterable[str], width: int) -> str:
    """The folded names; where they take more than `width` characters the first ones, and how many are left."""
    every = ordered(set(names))
    text = ",".join(folded(every))
    if len(text) <= width:
        return text
    fitting = bisect_right(range(1, len(every)), width, key=lambda count: len(",".join(folded(every[:count]))))
    first = max(fitting, 1)
    return f"{','.join(folded(every[:first]))} and {len(every) - first} more"
