"""Manifest and lock: whether what was locked still satisfies every line, for the target as it is wanted now.

Static satisfiability: the lock is right if it satisfies the lines, whether or not a new run would choose the same. No
index is asked; a directory that the project depends on is read, as far as its metadata is static.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mlpin.candidate import Key
from mlpin.check import conda
from mlpin.check.model import Drift
from mlpin.errors import MlpinError
from mlpin.index.url import local_path, strip_credentials
from mlpin.lock.conda import LockedConda
from mlpin.lock.locked import Lock, LockedPackage, LockedTree
from mlpin.requirement import Declared, IndexSource, PathSource, Source, UrlSource, VcsSource, name_in
from mlpin.resolver.requirements import PythonRange, Sourced, Specified, specifier

if TYPE_CHECKING:
    from datetime import datetime

    from mlpin.candidate import Candidate
    from mlpin.index.places import Places
    from mlpin.project import TargetPlan
    from mlpin.requirement import Origin, Requirement
    from mlpin.resolver.view import View
    from mlpin.target import Target

_FACTS = (
    ("python", "Python"),
    ("platform", "platform"),
    ("glibc", "glibc"),
    ("accelerator", "accelerator"),
    ("driver", "driver"),
    ("gpus", "list of GPUs"),
    ("cuda", "CUDA"),
)


def named(lines: Sequence[Declared], lock: Lock) -> list[Declared]:
    """The lines; one that is only a URL or a repository has the name of what is locked from there."""
    found = []
    for line in lines:
        name = line.name
        if not name and line.source is not None:
            name = next((one.name for one in lock.packages if _from(one, line.source, lock)), "")
        found.append(line._replace(name=name) if name else line)
    return found


def drifts(
    plan: TargetPlan,
    lock: Lock,
    target: Target | None,
    view: View,
    roots: Sequence[Requirement],
    known: Places,
    requires_python: str = "",
    origin: Origin | None = None,
) -> Iterator[Drift]:
    """What the manifest asks for and the lock does not have, or has and nobody asks for.

    `target` is the lock's, `roots` are what the lines come to in `view`, which sees the target as it is wanted now;
    `requires_python` is that of the project.
    """
    yield from _target(plan.target, target, lock)
    if requires_python and origin and not PythonRange(specifier(requires_python), origin).admits(view.python):
        yield _drift(
            "requires-python",
            f"the project needs Python {requires_python}, the lock is for {plan.target.python}",
            origin=origin,
            expected=requires_python,
            found=plan.target.python,
        )
    walk = _Walk(lock, view, known)
    yield from walk.drifts(roots)
    yield from conda.drifts(plan, lock, {name for name, _ in walk.asked})


def _target(wanted: Target, target: Target | None, lock: Lock) -> Iterator[Drift]:
    """What of the target is not as it was when it was locked."""
    if target is None:
        return
    now, then = _described(wanted), _described(target)
    for field, shown in _FACTS:
        # What another tool's lock does not say is not another target.
        if now[field] != then[field] and (lock.ours or getattr(lock.stated, field)):
            said = f"the target's {shown} is {now[field] or 'not said'}, the lock was made for {then[field] or 'any'}"
            yield Drift(
                "manifest",
                "target",
                said,
                expected=now[field],
                found=then[field],
                file=lock.shown,
                line=lock.line_of("[tool.mlpin.target]"),
            )


def _described(target: Target) -> dict[str, str]:
    hardware = target.hardware
    return {
        "python": target.python,
        "platform": target.platform.name,
        "glibc": target.platform.glibc,
        "accelerator": hardware.accelerator,
        "driver": hardware.driver,
        "gpus": ", ".join(name for name, _ in hardware.gpus),
        "cuda": hardware.cuda,
    }


class _Walk:
    """From the lines through the directories that they name, and on through the edges of the lock."""

    def __init__(self, lock: Lock, view: View, known: Places) -> None:
        self.lock = lock
        self.view = view
        self.places = known
        self.packages = [package for package in lock.packages if package.applies(view.target)]
        self.by_name: dict[str, list[LockedPackage]] = {}
        for package in self.packages:
            self.by_name.setdefault(package.name, []).append(package)
        self.asked: set[tuple[str, str]] = set()
        """(name, extra) that somebody asks for."""
        self.sourced: set[str] = set()
        """The names that somebody asks for from a place of their own."""
        given = {name_in(line.text) for line in lock.given("overrides")}
        self.overridden = given - view.policy.overrides.keys()
        """Names whose lines did not count when it was locked, by a file that only the command line named."""
        self.editable: dict[str, set[bool]] = {}
        """By name, whether those who ask for a directory want it editable."""
        self.directories: dict[str, Candidate] = {}
        """The directories that were read, by name."""
        self._walked: set[Key] = set()

    def drifts(self, roots: Sequence[Requirement]) -> Iterator[Drift]:
        todo: list[tuple[Requirement, str]] = [(root, "") for root in reversed(roots)]
        said: set[str] = set()
        while todo:
            requirement, parent = todo.pop()
            if isinstance(requirement, PythonRange) and not requirement.admits(self.view.python):
                needs = f"{parent} needs {requirement}, the lock is for {self.view.target.python}"
                yield _drift("requires-python", needs, origin=requirement.origin, package=parent)
            if requirement.key.kind != "pypi":
                continue
            name = requirement.key.name
            self.asked.add((name, requirement.key.extra))
            for drift in self._one(requirement, parent):
                if drift.message not in said:
                    said.add(drift.message)
                    yield drift
            try:
                todo += [(one, name) for one in reversed(self._inside(requirement))]
            except MlpinError as error:
                yield _drift("source", error.message, origin=requirement.origin, package=name)
        yield from self._constraints()
        for package in self.packages:
            yield from self._choices(package)
            yield from self._dropped(package)
        if self.lock.ours:
            yield from self._unneeded()
            left_out = self.lock.options.get("exclude")
            for name in left_out if isinstance(left_out, list) else ():
                if name not in self.view.policy.exclude:
                    back = f"{name} was excluded when it was locked, and is not any more"
                    yield Drift("manifest", "option", back, str(name), file=self.lock.shown)

    def _inside(self, requirement: Requirement) -> list[Requirement]:
        """What a directory asks for by its own metadata, for each of its extras that somebody asks for. Raises."""
        name = requirement.key.name
        if isinstance(requirement, Sourced):
            self.sourced.add(name)
            if isinstance(requirement.source, PathSource):
                self.editable.setdefault(name, set()).add(requirement.source.editable)
                candidate = self.view.sourced(requirement)
                self.directories.setdefault(name, candidate.base or candidate)
        if name not in self.directories:
            return []
        keys = [Key("pypi", name, extra) for asked, extra in sorted(self.asked) if asked == name]
        fresh = [key for key in keys if key not in self._walked]
        self._walked.update(fresh)
        return [one for key in fresh for one in self.view.requires(self.view.seen_as(self.directories[name], key))]

    def _one(self, requirement: Requirement, parent: str) -> Iterator[Drift]:
        key, origin = requirement.key, requirement.origin
        shown = str(requirement)
        if isinstance(requirement, Sourced):
            shown = f"{key} @ {_shown(requirement.source, self.lock.path.parent)}"
        line = f"`{origin.text or shown}`" + (f", which {parent} asks for," if parent else "")
        locked = self.by_name.get(key.name, ())
        if not locked and (carrier := self.lock.provided.get(key.name)):
            yield from self._carried(requirement, carrier, line, shown)
            return
        if not locked:
            said = f"{line} is not locked"
            yield _drift("unlocked", said, origin=origin, package=key.name, expected=shown)
            return
        for one in locked:
            drift = partial(_drift, origin=origin, package=key.name)
            if isinstance(requirement, Sourced):
                if not _from(one, requirement.source, self.lock):
                    wanted, found = _shown(requirement.source, self.lock.path.parent), _shown_package(one)
                    said = f"{key.name} is wanted from {wanted}, and locked from {found}"
                    yield drift("source", said, expected=wanted, found=found)
            elif key.name in self.overridden:
                continue
            elif isinstance(requirement, Specified) and not _admits(requirement, version := self._version(one)):
                said = f"{line} is wanted, and {one.name} {version} is locked"
                yield drift("version", said, expected=shown, found=version)
            if key.extra and self.lock.ours and key.extra not in one.extras:
                said = f"{line} is wanted, and {one.name} is locked without its extra `{key.extra}`"
                yield drift("extra", said, expected=str(key), found=one.name)

    def _carried(self, requirement: Requirement, carrier: LockedConda, line: str, shown: str) -> Iterator[Drift]:
        """What is wrong with a distribution that comes with a conda package."""
        of = f"conda's {carrier.name} {carrier.version}"
        drift = partial(_drift, origin=requirement.origin, package=requirement.key.name, expected=shown, found=of)
        if isinstance(requirement, Sourced):
            yield drift("source", f"{line} is wanted, and it is locked as {of}")
        elif isinstance(requirement, Specified) and not _admits(requirement, carrier.version):
            yield drift("version", f"{line} is wanted, and {of} is locked")

    def _version(self, package: LockedPackage) -> str:
        """The locked version; of a directory that was read, the one that it has."""
        known = self.directories.get(package.name)
        return package.version or (str(known.version) if known else "")

    def _choices(self, package: LockedPackage) -> Iterator[Drift]:
        """What the user says of where a package comes from, and of its files."""
        policy, name = self.view.policy, package.name
        pin = next((pin for pin in policy.pins.get(name, ()) if self.view.holds(pin.marker)), None)
        place = self.places.named.get(pin.index) if pin and not pin.extra and not pin.group else None
        if place and package.index and not place.flat and _bare(package.index) != _bare(place.url):
            said = f"{name} may come only from the index `{place.name}`, and it is locked from {package.index}"
            yield self._of(package, "index", said, expected=strip_credentials(place.url), found=package.index)
        if wanted := policy.hashes.get(name):
            for file in package.files:
                if not wanted & {f"{kind}:{value}" for kind, value in file.hashes.items()}:
                    said = f"{file.name} is locked, and none of its hashes is among those that the manifest states"
                    yield self._of(package, "hash", said, expected=", ".join(sorted(wanted)), found=file.name)
        if name in self.sourced:
            return  # these choices are about the files of indexes
        kinds = {file.kind for file in package.files}
        if policy.binary_only(name) and kinds and "wheel" not in kinds:
            said = f"{name} may only be a wheel (only-binary), and its source archive is locked"
            yield self._of(package, "option", said, expected="wheel", found="sdist")
        if policy.source_only(name) and "wheel" in kinds:
            said = f"{name} may only be a source archive (no-binary), and wheels are locked"
            yield self._of(package, "option", said, expected="sdist", found="wheel")
        if policy.prerelease == "disallow" and _prerelease(package.version):
            said = f"pre-releases are disallowed, and {name} {package.version} is locked"
            yield self._of(package, "option", said, expected="no pre-release", found=package.version)
        cutoff = policy.cutoffs.get(name, policy.cutoff)
        for file in package.files:
            if cutoff and file.uploaded and _moment(file.uploaded) >= _moment(cutoff):
                said = f"{file.name} was uploaded on {file.uploaded[:10]}, which exclude-newer leaves out"
                yield self._of(package, "option", said, expected=cutoff, found=file.uploaded)

    def _dropped(self, package: LockedPackage) -> Iterator[Drift]:
        """What nobody asks for from a place of its own any more, where only the manifest's lines ask for it."""
        name = package.name
        if package.tree is None or not self.lock.ours:
            return
        wanted = self.editable.get(name, set())
        if package.tree.kind == "directory" and wanted and package.tree.editable not in wanted:
            now, then = ("editable", "a copy") if True in wanted else ("a copy", "editable")
            yield self._of(
                package, "source", f"{name} is wanted as {now}, and locked as {then}", expected=now, found=then
            )
        if name in self.sourced or (name, "") not in self.asked:
            return
        if not any(name in other.dependencies for other in self.packages if other.name not in self.directories):
            place = _shown_package(package)
            said = f"{name} is locked from {place}, and it is not asked for from there any more"
            yield self._of(package, "source", said, found=place)

    def _constraints(self) -> Iterator[Drift]:
        """Constraints, and overrides of what others ask for."""
        asked = {name for name, _ in self.asked}  # of these the override has been looked at already
        overrides = {name: lines for name, lines in self.view.overrides().items() if name not in asked}
        for name in sorted({*self.view.constraints, *overrides}):
            word = "override" if name in overrides else "constraint"
            there = [(f"{name} {one.version}", one.version) for one in self.by_name.get(name, ())]
            if carrier := self.lock.provided.get(name):
                there.append((f"conda's {carrier.name} {carrier.version}", carrier.version))
            for shown, version in there:
                for requirement in (*self.view.constraints.get(name, ()), *overrides.get(name, ())):
                    if isinstance(requirement, Specified) and version and not _admits(requirement, version):
                        text = requirement.origin.text or str(requirement)
                        said = f"the {word} `{text}` does not admit {shown}, which is locked"
                        yield _drift(
                            "constraint",
                            said,
                            origin=requirement.origin,
                            package=name,
                            expected=str(requirement),
                            found=version,
                        )

    def _unneeded(self) -> Iterator[Drift]:
        """What nothing asks for any more. The lock's edges say who asks for whom, but for directories, read anew."""
        extras = set(self.asked)
        reached: set[str] = set()
        todo = [name for name, _ in self.asked]
        while todo:
            name = todo.pop()
            if name in reached or name in self.view.policy.exclude:
                continue
            reached.add(name)
            for package in self.by_name.get(name, ()):
                if name not in self.directories:
                    todo += package.dependencies
                extras |= {(name_in(text), extra) for text in package.requires for extra in _extras(text)}
        for package in self.packages:
            if package.name not in reached:
                said = f"{package.name} {package.version} is locked, and nothing asks for it".replace("  ", " ")
                yield self._of(package, "unneeded", said, found=package.version)
                continue
            # An extra may ask for another one of its own package, which no edge of the lock tells.
            if package.extras and not any((package.name, one) in extras for one in package.extras):
                shown, word = f"{package.name}[{','.join(package.extras)}]", "extras" if package.extras[1:] else "extra"
                said = f"{shown} is locked, and nothing asks for its {word}"
                yield self._of(package, "extra", said, expected=package.name, found=shown)

    def _of(self, package: LockedPackage, kind: str, message: str, *, expected: str = "", found: str = "") -> Drift:
        return Drift("manifest", kind, message, package.name, expected, found, self.lock.shown, package.line)


def _drift(kind: str, message: str, *, origin: Origin, package: str = "", expected: str = "", found: str = "") -> Drift:
    return Drift("manifest", kind, message, package, expected, found, origin.file, origin.line)


def _admits(requirement: Specified, text: str) -> bool:
    from mlpin.index.names import version

    try:
        return not requirement.specifier.text or not text or requirement.specifier.contains(version(text))
    except ValueError:
        return True  # what is no version has been called invalid


def _prerelease(text: str) -> bool:
    from mlpin.index.names import version

    try:
        return version(text).is_prerelease
    except ValueError:
        return False


def _from(package: LockedPackage, source: Source, lock: Lock) -> bool:
    """Whether a package was locked from a source."""
    folder, tree = lock.path.parent, package.tree
    if isinstance(source, IndexSource):
        return tree is None
    if isinstance(source, VcsSource):
        return bool(
            tree
            and tree.kind == "vcs"
            and _place(tree.place, folder) == _place(strip_credentials(source.url), folder)
            and source.revision in {tree.revision, tree.commit}
            and tree.subdirectory == source.subdirectory
        )
    if isinstance(source, UrlSource):
        wanted = _place(strip_credentials(source.url), folder)
        return any(_place(file.url or file.path, folder) == wanted for file in package.files)
    places = {_place(file.path, folder) for file in package.files if file.path}
    if tree and tree.kind == "directory":
        places.add(_place(tree.place, folder))
    return _place(source.path, folder) in places


def _place(text: str, folder: Path) -> str:
    """A URL, or the absolute path that a text names."""
    if path := local_path(text):
        return os.path.normpath(path)
    return text if "://" in text else os.path.normpath(folder / text)


def _bare(url: str) -> str:
    return strip_credentials(url).rstrip("/")


def _shown(source: Source, folder: Path) -> str:
    if isinstance(source, VcsSource):
        part = f"#subdirectory={source.subdirectory}" if source.subdirectory else ""
        return strip_credentials(source.url) + (f"@{source.revision}" if source.revision else "") + part
    if isinstance(source, UrlSource):
        return strip_credentials(source.url)
    if isinstance(source, PathSource):
        return os.path.relpath(source.path, folder)
    return source.index


def _shown_package(package: LockedPackage) -> str:
    tree = package.tree
    if isinstance(tree, LockedTree):
        if tree.kind == "directory":
            return tree.place
        part = f"#subdirectory={tree.subdirectory}" if tree.subdirectory else ""
        return f"{tree.place}@{tree.revision or tree.commit[:12]}{part}"
    return package.index or next((file.url or file.path for file in package.files), "nowhere")


def _extras(text: str) -> list[str]:
    """The extras in a requirement like `app[fast]>=1`, as the lock writes it."""
    _, bracket, rest = text.partition("[")
    return rest.partition("]")[0].split(",") if bracket else []


def _moment(text: str) -> datetime:
    from datetime import datetime

    return datetime.fromisoformat(text)
