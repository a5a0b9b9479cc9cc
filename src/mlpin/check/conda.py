"""The conda part of a lock: against the manifest's lines, against the file beside the lock, by itself, and installed.

Static, as for distributions: the lock is right if it satisfies the lines, whatever a new run would choose. Channels are
not asked. What an environment does not say of a package (its hash, mostly) is not drift.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlpin.check.model import Drift
from mlpin.errors import InputError
from mlpin.index.url import local_path, redacted_in
from mlpin.lock import conda_file
from mlpin.lock.conda import LockedConda, bare, name_in
from mlpin.lock.file import content
from mlpin.lock.locked import Lock, marker_holds
from mlpin.requirement import Declared, normalise
from mlpin.requirement import name_in as distribution_in
from mlpin.stack import conda_meta
from mlpin.stack.distributions import TOOLS, Distribution, Environment
from mlpin.stack.folders import beginning
from mlpin.stack.gathered import printable

if TYPE_CHECKING:
    from mlpin.conda.record import CondaRecord
    from mlpin.project import TargetPlan
    from mlpin.stack.model import Pinned

_ALWAYS = ("python", "pip")
"""What is there for the sake of distributions, whoever asks for it."""
_SHOWN = 3
_OTHERS = ("pip", "uv")
"""Installers that know nothing of conda's packages."""
_LONGEST_INSTALLER = 4096
"""Bytes."""


# -- the manifest


def drifts(plan: TargetPlan, lock: Lock, asked: Collection[str]) -> Iterator[Drift]:
    """What the manifest asks of conda and the lock does not have, or has and nobody asks for.

    `asked` are the distributions that the manifest asks for, by normalised name.
    """
    lines = [line for line in plan.requirements if line.conda and marker_holds(line.marker, plan.target)]
    for line in lines:
        yield from _line(line, lock)
    if lock.ours and lock.conda:
        yield from _options(plan, lock)
        yield from _unneeded(lock, [line.name for line in lines], asked)


def _line(line: Declared, lock: Lock) -> Iterator[Drift]:
    from mlpin.conda.spec import match_spec

    spec, origin = match_spec(line.conda), line.origin
    records = _records(lock)
    said = origin.text or line.conda
    if any(spec.matches(record) for record in records.values()):
        return
    locked = records.get(line.name)
    if locked is None and line.name.startswith("__") and not lock.virtual_packages:
        return
    if locked is None:
        message, kind, found = f"`{said}` is not locked", "unlocked", ""
    else:
        of = f" of {locked.channel}" if spec.channel and locked.channel else ""
        found = f"{locked.shown}{of}"
        message, kind = f"`{said}` is wanted, and {found} is locked", "version"
    yield Drift("manifest", kind, message, line.name, line.conda, found, origin.file, origin.line)


def _records(lock: Lock) -> Mapping[str, CondaRecord]:
    """All that is there to match, the virtual packages too."""
    from mlpin.conda.record import CondaRecord

    machine = [(name, *text.partition("=")[::2]) for name, text in lock.virtual_packages.items()]
    virtual = {name: CondaRecord(name, version, build or "0", 0, "", "", "", "") for name, version, build in machine}
    return {package.name: package.record for package in lock.conda} | virtual


def _options(plan: TargetPlan, lock: Lock) -> Iterator[Drift]:
    """Channels, and virtual packages that the target states outright."""
    folder = lock.path.parent
    now, then = ([_channel(text, folder) for text in some] for some in (plan.channels, lock.channels))
    if now and then and now != then:
        one, other = ", ".join(map(bare, plan.channels)), ", ".join(lock.channels)
        said = f"the channels are {one}, the lock was made with {other}"
        yield Drift("manifest", "option", said, "", one, other, lock.shown, lock.line_of("channels = "))
    for name, wanted in plan.target.virtual if lock.virtual_packages else ():
        locked = lock.virtual_packages.get(name, "")
        if _filled(wanted) != _filled(locked):
            said = f"the target has {name} {wanted or 'not at all'}, the lock was made for {locked or 'none'}"
            line = lock.line_of("[tool.mlpin.target.virtual-packages]")
            yield Drift("manifest", "target", said, name, wanted, locked, lock.shown, line)


def _channel(text: str, folder: Path) -> str:
    """A channel as it can be compared: a local one by its path, each without credentials."""
    path = local_path(text) or (text if text.startswith(("/", ".")) else "")
    return os.path.normpath(folder / path) if path else bare(text).rstrip("/")


def _filled(text: str) -> tuple[str, str]:
    version, _, build = text.partition("=")
    return version, build or "0"


def _unneeded(lock: Lock, lines: Sequence[str], asked: Collection[str]) -> Iterator[Drift]:
    """What nothing asks for any more, as far as the lock's own edges tell."""
    from mlpin.conda.pattern import is_plain

    if not lines:
        said = f"the lock has {len(lock.conda)} conda packages, and no line asks for any"
        yield Drift("manifest", "unneeded", said, file=lock.shown, line=lock.conda[0].line)
        return
    if not all(map(is_plain, lines)):
        return  # a pattern: what it was for is not told
    carriers = {name: package.name for name, package in lock.provided.items()}
    distributions = {*map(normalise, asked)}
    for one in lock.packages:
        distributions |= {*one.dependencies, *map(distribution_in, one.requires)}
    by_name = {package.name: package for package in lock.conda}
    todo = [*lines, *_ALWAYS, *(carriers[name] for name in distributions if name in carriers)]
    reached: set[str] = set()
    while todo:
        name = todo.pop()
        if name in by_name and name not in reached:
            reached.add(name)
            todo += by_name[name].needs
    for package in lock.conda:
        if package.name not in reached:
            said = f"conda's {package.name} {package.version} is locked, and nothing asks for it"
            yield _of(lock, package, "manifest", "unneeded", said, found=package.version)


# -- the lock by itself


def file_drifts(lock: Lock) -> Iterator[Drift]:
    """Whether the file that conda's clients install is there, and has what the lock has."""
    if not lock.conda or lock.conda_file is None:
        return
    name, sha256 = lock.conda_file
    path, shown = lock.path.with_name(name), file_shown(lock)
    again = f"`mlpin export {lock.shown} --format conda-explicit -o {shown}` writes it anew from the lock"
    data = content(path, shown)
    if data is None:
        said = f"there is no {shown}, the file of the lock's conda packages"
        yield Drift("lock", "conda-file", said, file=shown, hint=again)
        return
    if lock.intact and conda_file.sha256_of(data) == sha256:
        return
    there = conda_file.significant(data.decode(errors="replace"))
    wanted = conda_file.significant(conda_file.explicit(lock.conda, conda_file.subdir_of(lock.conda)))
    if there != wanted:
        lines = [line for line in there if line not in wanted] + [line for line in wanted if line not in there]
        lines = [printable(redacted_in(bare(line))) for line in lines]
        more = f" and {len(lines) - 1} more" if lines[1:] else ""
        said = f"{shown} is not what {lock.shown} has{f': {lines[0]}{more}' if lines else ' in its order'}"
        yield Drift("lock", "conda-file", said, found=", ".join(lines[:_SHOWN]), file=shown, hint=again)


def file_shown(lock: Lock) -> str:
    """How messages name the file with a lock's conda packages; empty where there is none."""
    return (Path(lock.shown).parent / lock.conda_file[0]).as_posix() if lock.conda and lock.conda_file else ""


def integrity(lock: Lock) -> Iterator[Drift]:
    """Whether the packages of an edited lock are their files, and need only what is there."""
    from mlpin.conda.spec import match_spec

    records = _records(lock)
    for package in lock.conda:
        stem = f"{package.name}-{package.version}-{package.build}"
        if not package.filename.startswith((f"{stem}.conda", f"{stem}.tar.bz2")):
            said = f"{package.filename} is no file of {package.shown}"
            yield _of(lock, package, "lock", "file", said, expected=stem, found=package.filename)
        for text in package.depends:
            needed = records.get(name_in(text))
            if needed is None and name_in(text).startswith("__") and not lock.virtual_packages:
                continue
            if needed is None:
                said = f"conda's {package.name} depends on {text}, which is not locked"
                yield _of(lock, package, "lock", "graph", said, expected=text)
                continue
            try:
                fits = match_spec(text).admits(needed)
            except InputError:
                continue  # channels have odd ones that no client reads
            if not fits:
                said = f"conda's {package.name} asks for {text}, and {needed.shown} is there"
                yield _of(lock, package, "lock", "graph", said, expected=text, found=needed.shown)


# -- what is installed


Origins = Mapping[str, conda_meta.Origin]
"""By name of a locked package: what conda wrote down of it."""


def origins(lock: Lock, there: Environment) -> Origins:
    """Of the packages that are installed in the build that is locked."""
    records = {path.stem.lower(): path for path in there.records}
    stems = {package.name: f"{package.name}-{package.version}-{package.build}".lower() for package in lock.conda}
    return {name: conda_meta.read(records[stem]) for name, stem in stems.items() if stem in records}


def carried(stated: Origins) -> set[str]:
    """The distributions that locked packages carry, by normalised name, as far as conda wrote that down."""
    return {info.distribution for origin in stated.values() for info in origin.infos}


def environment(lock: Lock, there: Environment, stated: Origins) -> Iterator[Drift]:
    """Where the conda packages of an environment are not as the lock has them, by name. `stated` is of `origins`."""
    if not lock.conda:
        return
    if not there.conda:
        said = f"the lock has {len(lock.conda)} conda packages, and {there.shown} is no conda environment"
        yield Drift("env", "missing", said, file=lock.shown, line=lock.conda[0].line)
        return
    locked = {package.name: package for package in lock.conda}
    installed = {one.name: one for one in there.conda}
    for name, package in sorted(locked.items()):
        if name in installed:
            yield from _installed(lock, package, installed[name], stated.get(name, conda_meta.Origin()))
        else:
            said = f"conda's {package.shown} is in the lock, but not installed"
            yield _of(lock, package, "env", "missing", said, expected=package.version)
    for name, one in sorted(installed.items()):
        if name not in locked and name not in TOOLS:
            said = f"conda's {_shown(one)} is installed, but not in the lock"
            yield Drift("env", "extra", said, name, "", one.version, there.shown)
    yield from _removed(lock, there, stated)
    yield from _overwritten(lock, there, stated)


def _installed(lock: Lock, package: LockedConda, one: Pinned, origin: conda_meta.Origin) -> Iterator[Drift]:
    if (package.version, package.build) != (one.version, one.build):
        kind = "version" if package.version != one.version else "build"
        said = f"conda's {_shown(one)} is installed, the lock has {package.version} {package.build}"
        expected, found = f"{package.version} {package.build}", f"{one.version} {one.build}"
        yield _of(lock, package, "env", kind, said, expected=expected, found=found)
        return
    if origin.filename != package.filename:
        return  # one build as .conda and as .tar.bz2
    for key, wanted in package.hashes.items():
        found = origin.hashes.get(key, "")
        if found and found != wanted:
            said = f"conda's {package.shown} was installed from another file than is locked: its {key} is {found}"
            yield _of(lock, package, "env", "source", said, expected=wanted, found=found)
        if found:
            return


def _removed(lock: Lock, there: Environment, stated: Origins) -> Iterator[Drift]:
    """Packages whose distribution is gone: conda does not notice, and pip removes what any installer has put there."""
    if not there.records:
        return  # a list of packages
    present = {one.name for one in there.packages} | _not_looked_at(lock)
    prefix = there.records[0].parent.parent
    for package in lock.conda:
        infos = stated[package.name].infos if package.name in stated else ()
        gone = [one for one in infos if one.distribution not in present and _is_gone(prefix / one.metadata)]
        if gone:
            folder = printable(gone[0].folder)
            said = f"conda's {package.shown} is recorded as installed, but its {folder} is gone"
            yield _of(lock, package, "env", "missing", said, expected=package.version)


def _overwritten(lock: Lock, there: Environment, stated: Origins) -> Iterator[Drift]:
    """Distributions that pip or uv has put in the place of what a conda package carries."""
    infos = [(package, one) for package in lock.conda if package.name in stated for one in stated[package.name].infos]
    carriers = {**{one.distribution: package for package, one in infos}, **lock.provided}
    told = carried(stated)
    installers: dict[str, list[Collection[str]]] = {}
    for _, info in infos:
        installers.setdefault(info.folder.lower(), []).append(info.installers)
    left_out = _not_looked_at(lock)
    for one in there.packages:
        package = carriers.get(one.name)
        if package is None or one.installer.lower() not in _OTHERS or one.system or one.name in left_out:
            continue
        if one.info.name.lower() in installers:
            theirs = _is_written_anew(one, installers[one.info.name.lower()])
        else:
            theirs = one.name in told or one.version.partition("+")[0] != package.version
        if theirs:
            said = (
                f"{one.name} {one.version} was installed by {one.installer}, the lock has it as conda's {package.shown}"
            )
            yield _of(lock, package, "env", "overwritten", said, expected=package.version, found=one.version)


def _not_looked_at(lock: Lock) -> set[str]:
    """Distributions that are no conda package's to keep: those locked from an index, and tools that nothing needs."""
    return {*lock.by_name, *(TOOLS - lock.provided.keys())}


def _is_gone(path: Path) -> bool:
    """Whether a METADATA is not there, in a site-packages that is."""
    if not os.path.isdir(path.parent.parent):
        return False
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        pass
    return False


def _is_written_anew(one: Distribution, installers: Collection[Collection[str]]) -> bool:
    """Whether the INSTALLER is another one than conda's packages have; not where one of them does not say.

    Packages that were built with pip may have one that says so.
    """
    import hashlib

    text = beginning(one.info / "INSTALLER", _LONGEST_INSTALLER)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return all(known and digest not in known for known in installers)


def _shown(one: Pinned) -> str:
    return " ".join(part for part in (one.name, one.version, one.build) if part)


def _of(
    lock: Lock, package: LockedConda, check: str, kind: str, message: str, *, expected: str = "", found: str = ""
) -> Drift:
    return Drift(check, kind, message, package.name, expected, found, lock.shown, package.line)  # type: ignore[arg-type]
