"""One requirement on a conda package (a MatchSpec) as people write it: into a `Declared`, or the reason why not.

Environments, recipes and `[tool.mlpin.conda]` share this module. What a MatchSpec means is `conda.spec`'s work; what is
told here is where conda's language ends and PyPI's begins.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from mlpin.errors import InputError
from mlpin.manifest import pep508
from mlpin.manifest.source_text import redacted
from mlpin.requirement import Declared, Origin

BELOW_PIP = "what PyPI has belongs into the list below `- pip:`"
"""The way out for a requirement of PyPI among those of an environment."""
IN_DEPENDENCIES = "what PyPI has belongs into `dependencies`, where the project lists its requirements"

_LONGEST = 4096
_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_ALONE = re.compile(rf"(?P<channel>.*::)?(?P<name>{_NAME})\s*(?P<rest>.*)", re.DOTALL)
_CLAUSE = re.compile(r"(==|!=|>=|<=|>|<|~=|=)?([0-9][0-9A-Za-z.]*(?:\.?\*)?)")
_BUILD = re.compile(r"(?<=[0-9A-Za-z*])(?:=|\s+)(?P<build>[A-Za-z0-9_.*+]+)$")
_FLAVOUR = re.compile(r"(?P<version>[0-9][0-9A-Za-z.]*)\+(?:cu[0-9]+|cpu|rocm[0-9.]*)")


def declared(
    text: str, origin: Origin, *, base: Path | None = None, marker: str = "", otherwise: str = IN_DEPENDENCIES
) -> Declared:
    """The requirement that `text` is; `InputError` at `origin` where it is none.

    The path of a local channel begins at `base`. `otherwise` says where a requirement of PyPI would belong.
    """
    if len(text) > _LONGEST:
        raise InputError(f"a requirement on a conda package is longer than {_LONGEST} characters", where=origin.place)
    written = spelled(text)
    problem, hint = _mistake(written, otherwise)
    if problem:
        shown = re.sub(r"/t/[^/]+(?=/)", "/t/****", redacted(written))
        shown = shown if len(shown) <= 200 else shown[:197] + "…"
        raise InputError(f"`{shown}` {problem}" if shown else f"a requirement {problem}", where=origin.place, hint=hint)
    if base and (local := re.match(r"(\.{1,2}(?:/[^:\0]*)?)::", written)):
        written = Path(os.path.normpath(base.absolute() / local[1])).as_posix() + written[local.end(1) :]
    from mlpin.conda.spec import match_spec

    try:
        spec = match_spec(written)
    except InputError as error:
        error.where = error.where or origin.place
        raise
    if not re.fullmatch(_NAME, spec.name):
        raise InputError(f"`{redacted(written)}` does not name one package", where=origin.place)
    return Declared(spec.name, origin, marker=marker, conda=written)


def spelled(text: str) -> str:
    """`text` without comment and needless blanks: `numpy = 1.2` is `numpy=1.2`, as conda reads it too."""
    text = " ".join(re.split(r"\s#|^#", text, maxsplit=1)[0].split())
    text = re.sub(r"(?<=[=<>!~,|])\s+|\s+(?=[,|])", "", text)
    return re.sub(r"(?<=[A-Za-z0-9_.*])\s+=(?![=\s])", "=", text)


def _mistake(text: str, otherwise: str) -> tuple[str, str | None]:
    """What is wrong with `text`, and the way out; empty where nothing is that can be told beforehand."""
    found = _ALONE.fullmatch(text)
    rest = found["rest"] if found else ""
    if not text:
        return "is empty", None
    if text.startswith("-"):
        return "is an option of pip", otherwise
    if re.match(r"(?:git|hg|svn|bzr)\+", text) or re.search(r"\s@\s", text) or (";" in text and "[" not in text):
        return "is a requirement as PyPI has them, not a conda package", otherwise
    if re.match(r"[^\s'\"\[]*://(?:[^/\s]*@|[^\s]*/t/[^/\s]+/)", text):
        return "has a password in it", "write the channel into `channels`, where it may have one, and here without it"
    if "://" in text and "::" not in text and not text.endswith((".conda", ".tar.bz2")):
        return "is a URL, not a requirement", "write the channel into `channels`, and the name of the package here"
    if one := re.fullmatch(rf"({_NAME}):\s*({_NAME}.*)", text):
        if one[2][0].isdigit():
            return "is not a requirement", f"write `{one[1]}={one[2]}`"
        return "has one colon between channel and package", f"write `{one[1]}::{one[2]}`"
    if found and re.match(r"\[[^\]=]*\]", rest):
        return "has extras, which conda packages do not have", f"write `{found['name']}`; {otherwise}"
    if flavour := _FLAVOUR.search(rest):
        name = {"torch": "pytorch"}.get(found["name"], found["name"]) if found else ""
        hint = f"{otherwise}; with conda it is `{name}={flavour['version']}`, the build follows from the target"
        return "has a version that only wheels have", hint
    if "===" in rest or "=>" in rest or "=<" in rest:
        return "has an operator that conda does not know", "one of: =, ==, !=, >=, <=, >, <, ~="
    if rest.startswith(("^", "^ ")):
        return "has a caret, which conda does not know", "write the range out, like `>=1.2,<2`"
    if re.search(r"[0-9A-Za-z*]\s+[<>=!~]{1,2}[0-9]", re.sub(r"\[.*", "", rest)):
        return "has a blank between two clauses", "put a comma between them, like `>=1.2,<2`"
    return "", None


def requires_python(stated: str, origin: Origin | None, listed: Sequence[Declared]) -> tuple[str, Origin | None]:
    """The range of Pythons that is `stated`, with what conda's `python` among `listed` adds to it, and its origin."""
    for one in listed:
        if one.conda and one.name == "python" and not one.marker and (own := python_range(one.conda)):
            stated = pep508.specifier(",".join(part for part in (stated, own) if part), one.origin)
            origin = one.origin
    return stated, origin


def python_range(text: str) -> str:
    """What a MatchSpec says of Python's version, as PEP 440 has it; empty where that cannot be said so."""
    found = _ALONE.fullmatch(text)
    if found is None:
        return ""
    rest = _BUILD.sub("", found["rest"]) if re.match(r"={0,2}[0-9]", found["rest"]) else found["rest"]
    written = []
    for clause in rest.split(","):
        one = _CLAUSE.fullmatch(clause.strip())
        if one is None:
            if clause.strip() in ("", "*", "=*"):
                continue
            return ""
        operator, version = one[1] or "=", one[2].removesuffix("*").removesuffix(".")
        if operator == "=" or (operator in ("==", "!=") and one[2].endswith("*")):
            written.append(f"{'!=' if operator == '!=' else '=='}{version}.*")
        else:
            written.append(f"{operator}{version}")
    try:
        return pep508.specifier(",".join(written), Origin("manifest"))
    except InputError:
        return ""
