"""Names of GPUs, as people and drivers write them, to what code they run."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mlpin.errors import InputError
from mlpin.matrix.rule import arch
from mlpin.matrix.tables import Gpu

# What makers put around the name of a product; never part of what tells two products apart.
_AROUND = re.compile(r"\b(nvidia|amd|geforce|tesla|quadro|radeon|instinct|graphics|gpu)\b")
_MEMORY = re.compile(r"[ -]\d+ ?gb\b.*$")


def _plain(name: str) -> str:
    text = _AROUND.sub(" ", name.lower().replace("_", " "))
    return " ".join(text.split())


def find(gpus: Sequence[Gpu], text: str) -> tuple[str, str]:
    """(`text`, compute capability or gfx target) of a GPU's name, of `sm_90` or `9.0`.

    Raises `InputError` that names the nearest ones that are known.
    """
    stripped = text.strip()
    code = arch(stripped)
    if code is not None:
        return f"sm_{code[0]}{code[1]}", f"{code[0]}.{code[1]}"
    if re.fullmatch(r"\d+\.\d", stripped):
        return f"sm_{stripped.replace('.', '')}", stripped
    if re.fullmatch(r"gfx[0-9a-f]{3,4}", stripped):
        return stripped, stripped
    known: dict[str, Gpu] = {}
    for gpu in gpus:
        known.setdefault(gpu.name.lower(), gpu)
    plain: dict[str, Gpu] = {}
    for gpu in gpus:
        plain.setdefault(_plain(gpu.name), gpu)
    short = _plain(stripped)
    found = known.get(stripped.lower()) or plain.get(short) or plain.get(_MEMORY.sub("", short))
    if found is not None:
        return stripped, found.runs
    from difflib import get_close_matches

    longer = [name for name in plain if name.endswith(f" {short}")]
    near = list(dict.fromkeys((*longer, *get_close_matches(short, plain, 3, 0.5))))[:3]
    names = ", ".join(plain[name].name for name in near)
    raise InputError(
        f"`{stripped}` is no GPU that mlpin knows",
        hint=f"{f'did you mean {names}? ' if names else ''}a compute capability does as well: sm_90",
    )
