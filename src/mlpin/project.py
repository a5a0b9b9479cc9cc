"""A project as it is going to be locked: its manifest, the settings that hold, and its targets.

The stage between reading files and resolving. It knows what the user chose; it asks no index.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mlpin import hardware, host, manifest
from mlpin.errors import InputError, UsageError
from mlpin.fields import Fields
from mlpin.lock import file as lock_file
from mlpin.lock.locked import Lock
from mlpin.manifest.model import Context, Manifest
from mlpin.matrix.matrix import Matrix
from mlpin.recalled import Recalled, recalled
from mlpin.requirement import Declared
from mlpin.settings import DEFAULT_CHANNELS, Settings, TargetSettings, merged
from mlpin.target import Target, parse_platform, python_minor

MLPIN_TOML, PYPROJECT = "mlpin.toml", "pyproject.toml"
_OF_REQUIREMENTS = ("constraints", "overrides", "MLPIN_CONSTRAINT", "MLPIN_OVERRIDE")
Locks = Callable[[Path], Lock | None]
"""What reads the lock at a path."""
LATEST_PYTHON = 14
"""The newest minor version that is looked for when a project allows only newer Pythons than this one."""


class TargetPlan(NamedTuple):
    """One lock to make."""

    target: Target
    lock: Path
    requirements: tuple[Declared, ...]
    extras: tuple[str, ...]
    groups: tuple[str, ...]
    detected: tuple[str, ...] = ()
    recalled: tuple[str, ...] = ()
    """Options of the command line that only the lock still knows of."""
    channels: tuple[str, ...] = ()
    """conda channels by name; they may hold credentials. Empty where no conda package is asked for."""
    open_python: bool = False
    """Whether the Python of the target is only a stopgap, until it is seen which one the conda packages want."""


class Project(NamedTuple):
    """Everything that the user said, ready to be resolved."""

    manifest: Manifest
    settings: Settings
    plans: tuple[TargetPlan, ...]
    passed_over: tuple[str, ...]
    """Other manifests in the directory, which were not read."""
    matrix: Matrix
    all_targets: bool = True


def load(
    path: Path,
    command_line: Settings,
    environ: Mapping[str, str],
    *,
    context: Context,
    target: str | None = None,
    output: Path | None = None,
    locks: Locks | None = None,
) -> Project:
    """The project at `path` (a directory or a manifest). Raises `InputError` and `UsageError`.

    With `locks`, what nobody says of a target and its selection is as its lock has it: options may have said it then.
    """
    from mlpin.settings_files import all_layers, with_index_credentials

    passed_over: tuple[str, ...] = ()
    if path.is_dir():
        found = manifest.find(path)
        passed_over = tuple(context.shown(other) for other in found.passed_over)
        path = found.path
    read = manifest.read(path, context)
    beside = _beside(read, context)
    own = [*read.layers, *beside] if path.name == MLPIN_TOML else [*beside, *read.layers]
    layers = all_layers(command_line, own, environ, directory=path.parent, context=context)
    settings = with_index_credentials(merged(layers), environ)
    if read.targets and not settings.targets and settings.platform is None:
        settings = settings._replace(targets=read.targets, default_groups=settings.default_groups or ())
    rules = hardware.matrix(settings, context.shown)
    plans = _plans(read, settings, path.parent, target, output, command_line, rules, locks)
    return Project(read, settings, plans, passed_over, rules, target is None)


def of_lines(lines: Sequence[str], command_line: Settings, environ: Mapping[str, str], *, context: Context) -> Project:
    """A project of requirements that stand in no file. Raises `InputError` and `UsageError`."""
    from mlpin.manifest import pep508
    from mlpin.requirement import Origin
    from mlpin.settings_files import all_layers, with_index_credentials

    folder = context.root
    declared = tuple(pep508.declared(line, Origin("option", text=line), bases=(folder,)) for line in lines)
    read = Manifest(folder / "command line", "requirements", requirements=declared)
    layers = all_layers(command_line, [], environ, directory=folder, context=context)
    settings = with_index_credentials(merged(layers), environ)
    rules = hardware.matrix(settings, context.shown)
    # Nothing is locked there: a lock of the directory's own project must not count.
    plans = _plans(read, settings, folder / ".mlpin", None, None, command_line, rules)
    return Project(read, settings, plans, (), rules)


def own_settings(folder: Path, context: Context) -> Settings:
    """What the environment and the project in a directory say to mlpin itself, requirements left out.

    For commands that need no requirement of it. Raises `InputError` where a file is broken.
    """
    from mlpin.settings_files import mlpin_environ

    environ = {key: value for key, value in context.environ.items() if key not in _OF_REQUIREMENTS}
    layers = [mlpin_environ(environ, base=context.root, context=context)]
    layers += [
        _settings_in(path, context, without=_OF_REQUIREMENTS)
        for name in (MLPIN_TOML, PYPROJECT)
        if (path := folder / name).is_file()
    ]
    return merged(layers)


def _settings_in(path: Path, context: Context, without: Sequence[str] = ()) -> Settings:
    """Mlpin's settings in a file: all of mlpin.toml, [tool.mlpin] of pyproject.toml."""
    from mlpin.manifest.pyproject import own_settings as settings_in
    from mlpin.manifest.toml_lines import TomlFile

    file = TomlFile.read(path, context)
    with file.located():
        fields = file.fields if path.name == MLPIN_TOML else file.fields.table("tool").table("mlpin")
        kept = {key: value for key, value in fields.data.items() if key not in without}
        return settings_in(file, Fields(kept, fields.file, fields.path), context)


def _beside(read: Manifest, context: Context) -> Sequence[Settings]:
    """The settings of an mlpin.toml beside another manifest, and of a pyproject.toml that declares nothing itself.

    A script goes by its own [tool.mlpin], not by that of the project around it.
    """
    folder = read.path.parent
    own, pyproject = folder / MLPIN_TOML, folder / PYPROJECT
    files = [own] if read.path != own and own.is_file() else []
    if read.kind not in {"script", "pyproject"} and pyproject.is_file() and pyproject not in _declaring(folder):
        files.append(pyproject)
    return [_settings_in(file, context) for file in files]


def _declaring(folder: Path) -> tuple[Path, ...]:
    """The manifests of a directory."""
    try:
        found = manifest.find(folder)
    except InputError:
        return ()
    return (found.path, *found.passed_over)


def target_of(settings: Settings, name: str) -> TargetSettings:
    """The target of a name, or of one of its Pythons (`train-py311`). Raises `UsageError` where there is none."""
    for one in (settings.targets or {}).values():
        pythons = _pythons(one, settings)
        if name == one.name:
            return one._replace(python=pythons)
        for each, python in zip(_names(one.name, pythons), pythons, strict=False):
            if name == each:
                return one._replace(python=(python,))
    known = {each for one in (settings.targets or {}).values() for each in _names(one.name, _pythons(one, settings))}
    shown = ", ".join(sorted({*(settings.targets or ()), *known})) or "none is configured"
    raise UsageError(f"there is no target `{name}`", hint=f"targets: {shown}")


def _plans(
    read: Manifest,
    settings: Settings,
    folder: Path,
    only: str | None,
    output: Path | None,
    command_line: Settings,
    rules: Matrix,
    locks: Locks | None = None,
) -> tuple[TargetPlan, ...]:
    if only is not None:
        target_of(settings, only)
    wanted: list[tuple[TargetSettings, str, str | None]] = []
    for one in list((settings.targets or {}).values()) or [TargetSettings()]:
        pythons = _pythons(one, settings, command_line)
        for name, python in zip(_names(one.name, pythons), pythons or (None,), strict=True):
            if only is None or only in {one.name, name}:
                wanted.append((one, name, python))
    if output is not None and output.suffix == ".toml":
        _check_name(output)
        if len(wanted) != 1:
            raise UsageError(
                f"`{output.name}` is one file, but there are {len(wanted)} targets",
                hint="give a directory, or choose one with --target",
            )
    plans = []
    for one, name, python in wanted:
        lock = _lock(read, name, folder, output)
        known = Recalled(one, settings)
        if locks:
            known = recalled(one, settings, command_line, locks(lock), read, rules)
        chosen = python or next(iter(known.target.python or ()), None)
        plan = _plan(read, known.settings, known.target, name, chosen, lock, command_line, rules)
        plans.append(plan._replace(recalled=known.options))
    return tuple(plans)


def _lock(read: Manifest, name: str, folder: Path, output: Path | None) -> Path:
    """Where the lock of a target lies: beside the manifest, or where `output` says."""
    if output is not None and output.suffix == ".toml":
        return output
    stem = name or (read.path.stem if read.kind == "script" else "")
    return (output or folder) / lock_file.name_of(_lock_name(stem))


def _check_name(output: Path) -> None:
    if not lock_file.is_name(output.name):
        raise UsageError(
            f"`{output.name}` is no name for a lock: installers look for pylock.toml or pylock.NAME.toml (PEP 751)",
            hint=f"-o {output.with_name('pylock.' + output.stem.replace('.', '-') + '.toml')}",
        )


def _pythons(one: TargetSettings, settings: Settings, command_line: Settings | None = None) -> tuple[str, ...]:
    if command_line is not None and command_line.python:
        return command_line.python
    return one.python or settings.python or ()


def _names(base: str, pythons: Sequence[str]) -> list[str]:
    if len(pythons) < 2:
        return [base]
    return ["-".join(part for part in (base, "py" + text.replace(".", "")) if part) for text in pythons]


def _plan(
    read: Manifest,
    settings: Settings,
    one: TargetSettings,
    name: str,
    python: str | None,
    lock: Path,
    command_line: Settings,
    rules: Matrix,
) -> TargetPlan:
    detected = []
    open_python = False
    platform = command_line.platform or one.platform or settings.platform
    glibc = command_line.glibc or one.glibc or settings.glibc
    python = python or _only_python(read)
    before: Mapping[str, Any] = {}
    if not one.name and (python is None or platform is None):
        before = _detected_before(lock)
    if python is None:
        python = str(before.get("python", "")) if "python" in before.get("detected", ()) else ""
        if not python or not allows(read.requires_python, python):
            python = _detect_python(read)
            open_python = True
        detected.append("python")
    if platform is None:
        if "platform" in before.get("detected", ()):
            platform, glibc = str(before["platform"]), glibc or str(before.get("glibc", "")) or None
        else:
            platform = host.platform()
            glibc = glibc or (host.glibc() if platform.startswith("linux") else None)
        detected.append("platform")
    python_minor(python)
    parsed = parse_platform(platform, glibc)
    try:
        needs = hardware.hardware(one, settings, command_line, parsed, rules)
    except InputError as error:
        error.where = error.where or (f"target `{name}`" if name else None)
        raise
    virtual = dict((*(settings.virtual_packages or ()), *(one.virtual_packages or ())))
    target = Target(name, python, parsed, needs, detected=bool(detected), virtual=tuple(sorted(virtual.items())))
    extras = _chosen(one.extras if one.extras is not None else settings.extras, read.extras, "extra", read)
    if settings.all_extras:
        extras = tuple(sorted(read.extras))
    groups = one.groups if one.groups is not None else settings.groups
    defaults = settings.default_groups if settings.default_groups is not None else read.default_groups
    chosen = _chosen((*(groups or ()), *defaults), read.groups, "group", read)
    requirements = [*read.requirements]
    for extra in extras:
        requirements += read.extras[extra]
    for group in chosen:
        requirements += read.groups[group]
    requirements = list(dict.fromkeys(requirements))
    channels: tuple[str, ...] = ()
    if any(line.conda for line in requirements):
        channels = command_line.channels or one.channels or settings.channels or DEFAULT_CHANNELS
    return TargetPlan(
        target,
        lock,
        tuple(requirements),
        extras,
        chosen,
        tuple(detected),
        channels=channels,
        open_python=open_python and bool(channels),
    )


def _lock_name(stem: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in stem.lower())


def _chosen(
    wanted: Sequence[str] | None, known: Mapping[str, tuple[Declared, ...]], what: str, read: Manifest
) -> tuple[str, ...]:
    from mlpin.requirement import normalise

    chosen = tuple(dict.fromkeys(normalise(name) for name in wanted or ()))
    for name in chosen:
        if name not in known:
            names = ", ".join(sorted(known)) or "none"
            raise InputError(
                f"there is no {what} `{name}`", where=read.path.name, hint=f"{what}s of this project: {names}"
            )
    return chosen


def _detected_before(lock: Path) -> Mapping[str, Any]:
    """The target of the unnamed lock that exists: detected once, then kept, so that machines agree."""
    try:
        old = lock_file.read(lock)
    except InputError:
        return {}
    if old is None or old.created_by != "mlpin":
        return {}
    texts = {key: str(old.target.get(key) or "") for key in ("python", "platform", "glibc")}
    try:
        python_minor(texts["python"])
        parse_platform(texts["platform"], texts["glibc"] or None)
    except InputError:
        return {}  # somebody edited it
    return old.target


def allows(requires_python: str, python: str) -> bool:
    """Whether a range of Python versions has any release of `3.11`, or `3.11.4` itself."""
    if not requires_python:
        return True
    from mlpin.candidate import PYTHON, Candidate
    from mlpin.requirement import Origin
    from mlpin.resolver.requirements import PythonRange, specifier

    pythons = Target("", python, parse_platform("linux-x86_64")).pythons
    return PythonRange(specifier(requires_python), Origin("target")).admits(
        Candidate(PYTHON, pythons[0], pythons=pythons)
    )


def _only_python(read: Manifest) -> str | None:
    """The one minor version that the project allows; None where it allows several."""
    if not read.requires_python:
        return None
    allowed = [text for minor in range(6, LATEST_PYTHON + 6) if allows(read.requires_python, text := f"3.{minor}")]
    return allowed[0] if len(allowed) == 1 else None


def _detect_python(read: Manifest) -> str:
    """This interpreter's version if the project allows it, else the lowest that it allows."""
    major, minor = host.python()
    mine = f"{major}.{minor}"
    if allows(read.requires_python, mine):
        return mine
    for other in range(6, LATEST_PYTHON + 6):
        if allows(read.requires_python, f"3.{other}"):
            return f"3.{other}"
    place = read.requires_python_origin.place if read.requires_python_origin else read.path.name
    pythons = [one for one in read.requirements if one.conda and one.name == "python" and not one.marker]
    lines = [one.origin.text or one.conda for one in pythons]
    what = f"requires-python `{read.requires_python}`"
    if lines and read.kind != "pyproject":  # nothing else can have said it
        what = " and ".join(f"`{line}`" for line in dict.fromkeys(lines))
    raise InputError(f"no Python 3 satisfies {what}", where=place)


def shown(path: Path, root: Path) -> str:
    """`path` as messages show it: relative to `root` where there is a way between them that is not all the way up."""
    try:
        near = len(Path(os.path.commonpath([path, root])).parts) > 1
    except ValueError:
        near = False
    return Path(os.path.relpath(path, root)).as_posix() if near else str(path)
