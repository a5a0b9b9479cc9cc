"""Packs data/matrix/*.toml and data/names.toml into the forms that ship. Prints every mistake and fails on any.

python data/pack.py [--check]     (--check: fail if a packed form is not up to date)
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections import Counter
from pathlib import Path

from mlpin.conda.names import SHIPPED as PACKED_NAMES
from mlpin.matrix.matrix import SHIPPED as PACKED
from mlpin.matrix.packed import pack
from mlpin.matrix.read import Mistake, Source, read_files
from mlpin.requirement import normalise

HERE = Path(__file__).parent
NAMES = HERE / "names.toml"


def source() -> tuple[Source, list[Mistake]]:
    """Everything in data/matrix, and every mistake in it."""
    return read_files(sorted((HERE / "matrix").glob("*.toml")), lambda path: f"data/matrix/{path.name}")


def pack_names() -> tuple[bytes, list[str]]:
    """The packed table of names, and every mistake in data/names.toml."""
    table = tomllib.loads(NAMES.read_text(encoding="utf-8"))
    decided = {name: entry["provides"] for name, entry in table["decided"].items()}
    different, none = table["different"] | decided, [*table["none"], *(name for name in decided if not decided[name])]
    mistakes = [f"{name} stands in it twice" for name in _twice([*table["different"], *decided, *table["none"]])]
    mistakes += [f"{name} stands in it twice" for name in _twice(table["spelled"]) | _twice(table["first"])]
    for name, distributions in different.items():
        mistakes += [f"{name}: `{one}` is not a normalised name" for one in distributions if one != normalise(one)]
        if distributions == [normalise(name)] and name not in decided:
            mistakes.append(f"{name} needs no entry: the names are the same")
    for name in table["spelled"]:
        if name == normalise(name) or name in different or name in none:
            mistakes.append(f"{name} is not only spelled otherwise")
    for name, entry in table["decided"].items():
        if not entry.get("why"):
            mistakes.append(f"{name}: why it was decided so is missing")
    lines = [" ".join([name, *sorted(different[name])]) for name in sorted(different) if different[name]]
    packed = {
        "different": "\n".join(lines),
        "none": " ".join(sorted(none)),
        "spelled": " ".join(sorted(table["spelled"])),
        "first": " ".join(sorted(table["first"])),
    }
    return json.dumps(packed, separators=(",", ":")).encode() + b"\n", mistakes


def _twice(names: list[str]) -> set[str]:
    return {name for name, times in Counter(names).items() if times > 1}


def main() -> int:
    """Pack, or check."""
    if sys.argv[1:] not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    found, mistakes = source()
    names, wrong = pack_names()
    for mistake in [*mistakes, *(f"data/names.toml: {text}" for text in wrong)]:
        print(mistake)
    if mistakes or wrong:
        return 1
    packed = {PACKED: pack(found), PACKED_NAMES: names}
    if sys.argv[1:]:
        stale = [path for path, data in packed.items() if not path.exists() or path.read_bytes() != data]
        for path in stale:
            print(f"{path.name} is not up to date: run python data/pack.py")
        return 1 if stale else 0
    for path, data in packed.items():
        path.write_bytes(data)
    print(f"{len({rule.id for rule in found.rules})} rules, {len(packed[PACKED])} bytes; names, {len(names)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
