"""`mlpin audit`: the matrix's verdict on an exact set that any tool made."""

from __future__ import annotations

import argparse
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mlpin.commands.machine_options import hardware, this_machine
from mlpin.commands.streams import STDIN, heard, say
from mlpin.errors import InputError, UsageError
from mlpin.settings import Settings, TargetSettings

if TYPE_CHECKING:
    from mlpin.matrix.judge import Facts
    from mlpin.matrix.matrix import Matrix
    from mlpin.stack.model import Stack, Where
    from mlpin.target import Hardware, Platform

DESCRIPTION = (
    "Judges an exact set of packages by the compatibility matrix, without an index or a network. FILE is what "
    "`pip freeze` or `conda list --json` printed (- for standard input), requirements with pins, pylock.toml, uv.lock, "
    "poetry.lock, pdm.lock, pixi.lock, conda-lock.yml or a conda explicit file. Exit code 1 where something is broken."
)


def options(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("file", nargs="?", metavar="FILE", help="what is judged, - for standard input")
    parser.add_argument("--env", metavar="PATH", help="an installed environment: its directory, or its Python")
    group = parser.add_argument_group("on which machine")
    group.add_argument("--target", metavar="NAME", help="this target of the project in the current directory")
    group.add_argument("--host", action="store_true", help="this machine, as `mlpin host` sees it")
    group.add_argument("--python", metavar="VERSION", help="like 3.11; else what the file states")
    group.add_argument("--platform", metavar="NAME", help="else what the file states, or linux-x86_64")
    group.add_argument("--glibc", metavar="VERSION")
    hardware(group)
    group.add_argument("--cuda", metavar="VERSION", help="the CUDA toolkit of the machine itself, like 12.4")
    group.add_argument("--cudnn", metavar="VERSION", help="the cuDNN of the machine itself, like 8.9")
    group = parser.add_argument_group("output")
    group.add_argument("--format", choices=("text", "json"), default="text")
    group.add_argument("-q", "--quiet", action="store_true", help="show what is broken alone")


def run(options: argparse.Namespace) -> int:
    """Audit, and the exit code."""
    from mlpin.audit import audit
    from mlpin.hardware import matrix
    from mlpin.manifest.model import Context
    from mlpin.project import own_settings
    from mlpin.report import findings

    if (options.file is None) == (options.env is None):
        raise UsageError(
            "audit takes a FILE, or --env PATH", hint="`pip freeze | mlpin audit -` judges the environment of a pip"
        )
    root = Path.cwd()
    settings = own_settings(root, Context(root, os.environ, _no_fetch))
    rules = matrix(settings, lambda path: os.path.relpath(path, root))
    described = _described(options, settings, rules)
    stack = _stack(options, root, described.where)
    facts = _facts(described, stack, rules)._replace(cuda=options.cuda or "", cudnn=options.cudnn or "")
    found = audit(rules, stack, facts)
    say(findings.data(found) if options.format == "json" else findings.text(found, quiet=options.quiet))
    return 1 if found.broken else 0


def _no_fetch(url: str) -> str:
    raise InputError("cannot be fetched", where=url)


class _Described(NamedTuple):
    """A machine, as far as it was described."""

    said: Settings
    """By options, which go before all else."""
    hardware: Hardware
    """What the options alone come to."""
    one: TargetSettings = TargetSettings()
    """By --target or --host."""
    shared: Settings = Settings()
    """By the project, for all its targets."""
    by: str = ""
    """`target`, `host`, or nothing: then a lock of mlpin's own says what the options do not."""

    @property
    def where(self) -> Where:
        from mlpin.stack.model import Where

        pythons = self.said.python or self.one.python or self.shared.python or ("",)
        platform = self.said.platform or self.one.platform or self.shared.platform or ""
        return Where(pythons[0], platform or ("macos-14-arm64" if self.said.accelerator == "metal" else ""))


def _described(options: argparse.Namespace, settings: Settings, rules: Matrix) -> _Described:
    """The machine that the options describe. Raises `UsageError` and `InputError`."""
    from mlpin.hardware import hardware as made_of
    from mlpin.project import target_of

    if options.host and options.target is not None:
        raise UsageError("--host and --target are two machines", hint="leave one of them out")
    said = _said(options)
    start = _Described(said, made_of(TargetSettings(), Settings(), said, None, rules))
    if options.target is not None:
        one = target_of(settings, options.target)
        if len(one.python or ()) > 1 and not said.python:
            raise UsageError(
                f"the target `{one.name}` has several Pythons",
                hint=f"name one of them, like --python {(one.python or ())[0]}",
            )
        return start._replace(one=one, shared=settings, by="target")
    if options.host:
        found, table = this_machine()
        one = TargetSettings(**{**table, "python": (found.python,), "gpus": tuple(table.get("gpus", ()))})
        return start._replace(one=one, by="host")
    return start


def _said(options: argparse.Namespace) -> Settings:
    """What the options say of the machine, each of them checked."""
    from mlpin.target import ACCELERATORS, parse_driver, parse_glibc, parse_platform, python_minor

    if options.python is not None:
        python_minor(options.python)
    if options.glibc is not None:
        parse_glibc(options.glibc)
    if options.platform is not None:
        parse_platform(options.platform, options.glibc)
    if options.accelerator is not None and options.accelerator not in ACCELERATORS:
        raise UsageError(f"--accelerator cannot be `{options.accelerator}`", hint="cuda, rocm, cpu or metal")
    if options.driver is not None:
        parse_driver(options.driver)
    for name in ("cuda", "cudnn"):
        if (text := getattr(options, name)) is not None:
            _check_number(name, text)
    return Settings(
        "options",
        python=(options.python,) if options.python else None,
        platform=options.platform,
        glibc=options.glibc,
        accelerator=options.accelerator,
        driver=options.driver,
        gpus=tuple(options.gpu) if options.gpu else None,
        cuda=options.cuda,
    )


def _check_number(name: str, text: str) -> None:
    from packaging.version import InvalidVersion, Version

    try:
        Version(text)
    except InvalidVersion:
        raise UsageError(f"--{name} is a version like 12.4, not `{text}`") from None


def _facts(described: _Described, stack: Stack, rules: Matrix) -> Facts:
    """What is known of the machine: what was described, and for the rest what the stack states."""
    from mlpin.hardware import hardware as made_of
    from mlpin.matrix.judge import Facts

    said, one, where = described.said, described.one, described.where
    name = where.platform or stack.platform or _unless_stated(stack)
    kind = _platform(name).kind
    own = stack.target if not described.by else None
    if own and _platform(own.platform or name).kind == kind:
        one = own
    if described.by != "target" and described.hardware.accelerator not in {"", one.accelerator}:
        one = one._replace(accelerator=None, driver=None, gpus=None)  # of another machine than the options speak of
    glibc = said.glibc
    if not glibc and _platform(one.platform or described.shared.platform or name).kind == kind:
        glibc = one.glibc or described.shared.glibc
    try:
        platform = _platform(name, glibc)
        found = made_of(one, described.shared, said, platform, rules)
    except InputError as error:
        error.where = error.where or (stack.source if own else None)
        raise
    python = where.python or stack.python
    if described.by == "host" and stack.kind == "environment" and not said.python:
        python = stack.python or python  # an environment has a Python of its own, whichever runs mlpin
    return Facts(
        platform.kind,
        python,
        platform.glibc if glibc or described.by == "target" else "",
        found.accelerator,
        found.driver,
        found.gpus,
    )


def _unless_stated(stack: Stack) -> str:
    """The platform where nobody says one: an environment is one of this machine."""
    from mlpin import host
    from mlpin.stack.markers import DEFAULT_PLATFORM

    if stack.kind == "environment":
        with suppress(InputError):
            return host.platform()
    return DEFAULT_PLATFORM


def _platform(name: str, glibc: str | None = None) -> Platform:
    """The platform of a name; a lock may be for one that mlpin has no name for."""
    from mlpin.target import Platform, parse_platform

    try:
        parse_platform(name)
    except InputError:
        system, _, machine = name.partition("-")
        return Platform(system, machine)
    return parse_platform(name, glibc)


def _stack(options: argparse.Namespace, root: Path, where: Where) -> Stack:
    """What is judged. Raises `InputError`, also where nothing in it is pinned."""
    from mlpin import stack

    if options.env is not None:
        path = Path(os.path.abspath(root / options.env))
        if not path.exists():
            raise InputError("there is no such environment", where=options.env)
        return stack.environment(path, options.env)
    if options.file == "-":
        try:
            found = stack.read_text(heard().decode("utf-8-sig"), where=where)
        except UnicodeDecodeError:
            raise InputError("is not text in UTF-8", where=STDIN) from None
    else:
        path = Path(os.path.abspath(root / options.file))
        if not path.exists():
            raise InputError("there is no such file", where=options.file)
        found = stack.read(path, options.file, where)
    if not found.packages and (found.kind == "freeze" or (found.kind == "requirements" and found.skipped)):
        raise _nothing_pinned(found)
    return found


def _nothing_pinned(found: Stack) -> InputError:
    some = [f"{one.text}: {one.reason}" for one in found.skipped[:3]]
    more = len(found.skipped) - len(some)
    return InputError(
        "pins no package to a version, so there is nothing to judge" if some else "names no package",
        where=found.source,
        notes=(*some, f"{more} more like these") if more else tuple(some),
        hint="give the output of `pip freeze`, or lock it first (`mlpin lock`)",
    )
