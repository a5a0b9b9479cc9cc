"""`mlpin export`: a lock in the form that another tool takes."""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from mlpin.commands.streams import complain, say
from mlpin.errors import InputError, UsageError

if TYPE_CHECKING:
    from mlpin.export.model import Exported
    from mlpin.lock.locked import Lock

FORMATS = (
    "requirements",
    "dockerfile",
    "sbom",
    "uv",
    "pip-constraints",
    "conda-explicit",
    "environment.yml",
    "conda-lock",
    "pixi",
)
_OF_CONDA = FORMATS[5:]
DESCRIPTION = (
    "Writes a lock in the form that another tool takes: requirements with hashes for pip and uv, a Dockerfile, a "
    "CycloneDX SBOM, [tool.uv] tables, constraints; of a lock with conda packages an explicit file, environment.yml, "
    "conda-lock.yml, pixi.lock. PATH is a lock, or the directory where it lies. The lock alone "
    "is read: no project, no network."
)


def options(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("path", nargs="?", default=".", metavar="PATH", help="else the current directory")
    parser.add_argument("--format", choices=FORMATS, default="requirements", help="else requirements")
    parser.add_argument("--target", metavar="NAME", help="the lock of this target, where there are several")
    parser.add_argument("--no-hashes", action="store_true", help="requirements without hashes")
    parser.add_argument("-o", "--output", metavar="FILE", help="else standard output")


def run(options: argparse.Namespace) -> int:
    """Export, and the exit code."""
    from mlpin import hardware
    from mlpin.export.model import exported
    from mlpin.index.places import DEFAULT_INDEX
    from mlpin.settings import Settings

    if options.no_hashes and options.format != "requirements":
        raise UsageError("--no-hashes is for --format requirements")
    if options.output == "":
        raise UsageError("-o cannot be empty", hint="give a file, or leave it out for standard output")
    lock = _lock(options.path, options.target)
    output = Path(os.path.abspath(options.output)) if options.output not in {None, "-"} else None
    if output is not None and output.resolve() == lock.path.resolve():
        raise UsageError(f"-o {options.output} is the lock itself", hint="give another file")
    found = exported(lock, hardware.matrix(Settings()), DEFAULT_INDEX)
    text, remarks = _made(found, options)
    for remark in _of_lock(found) + remarks:
        complain("\n".join(_wrapped(remark)) + "\n")
    if output is None:
        say(text)
    else:
        from mlpin.lock.file import write

        write([(output, text)])
    return 0


def _made(found: Exported, options: argparse.Namespace) -> tuple[str, list[str]]:
    """The text, and what is to be said of it."""
    if options.format == "dockerfile":
        from mlpin.export.dockerfile import dockerfile

        return dockerfile(found), []
    if options.format == "sbom":
        from mlpin.export.sbom import sbom

        return sbom(found), []
    if options.format == "uv":
        from mlpin.export.uv import uv

        return uv(found), _without_conda(found)
    if options.format == "pip-constraints":
        from mlpin.export.constraints import constraints

        return constraints(found), _without_conda(found)
    if options.format in _OF_CONDA:
        return _for_conda(found, options.format)
    from mlpin.export.requirements import remarks, requirements

    return requirements(found, hashes=not options.no_hashes), remarks(found, hashes=not options.no_hashes)


def _without_conda(found: Exported) -> list[str]:
    return ["the conda packages of the lock have no place in this format"] if found.lock.conda else []


def _for_conda(found: Exported, form: str) -> tuple[str, list[str]]:
    """The text for one of conda's tools, and what is to be said of it."""
    if form == "conda-explicit":
        from mlpin.export import explicit

        return explicit.explicit(found), explicit.remarks(found)
    if form == "environment.yml":
        from mlpin.export import environment_yml

        return environment_yml.environment_yml(found), environment_yml.remarks(found)
    from mlpin.export.conda import left_out

    if form == "conda-lock":
        from mlpin.export.conda_lock import conda_lock

        return conda_lock(found), left_out(found)
    from mlpin.export.pixi_lock import pixi_lock

    return pixi_lock(found), left_out(found)


def _wrapped(remark: str) -> list[str]:
    from mlpin.report.wrap import wrapped

    return wrapped(f"warning: {remark}", "", "  ")


def _of_lock(found: Exported) -> list[str]:
    """What is to be said of the lock itself."""
    lock = found.lock
    said = []
    if lock.ours and not lock.intact:
        said.append(f"{lock.shown} was edited by hand since `mlpin lock` wrote it; it is exported as it is now")
    if secret := found.secret:
        said.append(
            f"a URL of {', '.join(secret)} has a secret in it, which is left out: what is exported cannot be used there"
        )
    if found.left_out:
        names = ", ".join(found.left_out[:5]) + (", …" if found.left_out[5:] else "")
        said.append(f"left out, as only an extra or a group of {lock.shown} has them: {names}")
    return said


def _lock(where: str, target: str | None) -> Lock:
    """The lock in question. Raises `InputError` and `UsageError`."""
    from mlpin.lock.file import name_of
    from mlpin.lock.locked import read

    path = Path(where)
    if not path.exists():
        raise InputError("there is no such file or directory", where=where)
    if path.is_dir():
        found = _locks(path)
        if target is not None and target not in found:
            raise InputError(
                f"there is no {name_of(target)}",
                where=None if where == "." else where,
                hint=_listed(found) or f"`mlpin lock --target {target}` makes it",
            )
        if not found:
            raise InputError("there is no lock here", where=where, hint="`mlpin lock` makes one")
        if target is None and len(found) > 1:
            raise UsageError("there are several locks, for several targets", hint=_listed(found))
        path = found[next(iter(found)) if target is None else target]
    elif target is not None and path.name != name_of(target):
        raise UsageError(f"{where} is not the lock of target `{target}`", hint="give the one or the other")
    elif not path.is_file():
        raise InputError("this is neither a file nor a directory", where=where)
    lock = read(Path(os.path.abspath(path)), path.as_posix())
    if lock is None:
        raise InputError("there is no such file", where=where)
    return lock


def _locks(folder: Path) -> dict[str, Path]:
    """The locks of a folder by target, the unnamed one first."""
    names = ((re.fullmatch(r"pylock(?:\.([^.]+))?\.toml", path.name), path) for path in folder.iterdir())
    found = {match[1] or "": path for match, path in names if match}
    return dict(sorted(found.items()))


def _listed(found: dict[str, Path]) -> str:
    ways = [f"--target {name}" if name else found[name].as_posix() for name in found]
    return f"one of: {', '.join(ways)}" if ways else ""
