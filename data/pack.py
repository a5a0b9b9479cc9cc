"""Packs data/matrix/*.toml into the form that ships with mlpin. Prints every mistake and fails on any.

python data/pack.py [--check]     (--check: fail if the packed form is not up to date)
"""

from __future__ import annotations

import sys
from pathlib import Path

from mlpin.matrix.packed import pack
from mlpin.matrix.read import Mistake, Source, read_files

HERE = Path(__file__).parent
PACKED = HERE.parent / "src" / "mlpin" / "matrix" / "matrix.jsonl"


def source() -> tuple[Source, list[Mistake]]:
    """Everything in data/matrix, and every mistake in it."""
    return read_files(sorted((HERE / "matrix").glob("*.toml")), lambda path: f"data/matrix/{path.name}")


def main() -> int:
    """Pack, or check."""
    if sys.argv[1:] not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    found, mistakes = source()
    for mistake in mistakes:
        print(mistake)
    if mistakes:
        return 1
    data = pack(found)
    if sys.argv[1:]:
        if not PACKED.exists() or PACKED.read_bytes() != data:
            print(f"{PACKED.name} is not up to date: run python data/pack.py")
            return 1
        return 0
    PACKED.write_bytes(data)
    print(f"{len({rule.id for rule in found.rules})} rules, {len(data)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
