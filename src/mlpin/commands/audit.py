"""`mlpin audit`: the matrix's verdict on an exact set that any tool made."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mlpin.commands.machine_options import hardware
from mlpin.commands.streams import say
from mlpin.errors import InputError, UsageError

if TYPE_CHECKING:
    from mlpin.matrix.judge import Facts
    from mlpin.matrix.matrix import Matrix
    from mlpin.settings import Settings
    from mlpin.stack.model import Stack
    from mlpin.target import Target

DESCRIPTION = (
    "Judges an exact set of packages by the compatibility matrix, without an index or a network. FILE is what "
    "`pip freeze` or `conda list --json` printed (- for standard input), requirements with pins, pylock.toml, uv.lock, "
    "poetry.lock, pdm.lock, pixi.lock, conda-lock.yml or a conda explicit file. Exit code 1 where something is broken."
)


def options(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("file", nargs="?", metavar="FILE")
    parser.add_argument("--env", metavar="PATH", help="an installed environment: its directory, or its Python")
    group = parser.add_argument_group("on which machine")
    group.add_argument("--target", metavar="NAME", help="this target of the project in the current directory")
    group.add_argument("--host", action="store_true", help="this machine, as `mlpin host` sees it")
    group.add_argument("--python", metavar="VERSION", help="like 3.11; else what the file states")
    group.add_argument("--platform", metavar="NAME", help="linux-x86_64 unless the file states one")
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
    from mlpin.report import findings

    if (options.file is None) == (options.env is None):
        raise UsageError(
            "audit takes a FILE, or --env PATH", hint="`pip freeze | mlpin audit -` judges the environment of a pip"
        )
    root = Path.cwd()
    settings = _settings(root)
    rules = matrix(settings, lambda path: os.path.relpath(path, root))
    facts, target = _facts(options, root, rules)
    stack = _stack(options, root, target)
    if stack.target:
        facts = _filled(facts, stack, rules)
    found = audit(rules, stack, facts)
    say(findings.data(found) if options.format == "json" else findings.text(found, quiet=options.quiet))
    return 1 if found.broken else 0


def _settings(root: Path) -> Settings:
    """The rules that the project in this directory adds or switches off; none where there is no project."""
    from mlpin.manifest.model import Context
    from mlpin.project import own_settings

    return own_settings(root, Context(root, os.environ, _no_fetch))


def _no_fetch(url: str) -> str:
    raise InputError("cannot be fetched", where=url)


def _facts(options: argparse.Namespace, root: Path, rules: Matrix) -> tuple[Facts, Target | None]:
    """What is known of the machine, options first."""
    from mlpin.matrix.gpus import find
    from mlpin.matrix.judge import Facts
    from mlpin.target import ACCELERATORS, Target, parse_driver, parse_glibc, parse_platform, python_minor

    facts = Facts(platform="")
    if options.host and options.target:
        raise UsageError("--host and --target are two machines", hint="leave one of them out")
    if options.host:
        facts = _of_host(rules)
    elif options.target:
        facts = Facts.of(_configured(root, options.target))
    if options.python:
        python_minor(options.python)
        facts = facts._replace(python=options.python)
    if options.platform:
        facts = facts._replace(platform=parse_platform(options.platform).kind)
    if options.glibc:
        parse_glibc(options.glibc)
        facts = facts._replace(glibc=options.glibc)
    if options.accelerator:
        if options.accelerator not in ACCELERATORS:
            raise UsageError(f"--accelerator cannot be `{options.accelerator}`", hint="cuda, rocm, cpu or metal")
        facts = facts._replace(accelerator=options.accelerator)
    if options.driver:
        driver = parse_driver(options.driver)
        facts = facts._replace(driver=rules.driver_for(driver[5:]) if driver.startswith("CUDA ") else driver)
    if options.gpu:
        facts = facts._replace(gpus=tuple(find(rules.gpus, name) for name in options.gpu))
    for name in ("cuda", "cudnn"):
        if text := getattr(options, name):
            _check_number(name, text)
            facts = facts._replace(**{name: text})
    if not facts.accelerator and (facts.driver or facts.gpus or facts.cuda):
        facts = facts._replace(accelerator="cuda")
    target = Target("", facts.python, parse_platform(facts.platform or "linux-x86_64")) if facts.python else None
    return facts, target


def _check_number(name: str, text: str) -> None:
    from packaging.version import InvalidVersion, Version

    try:
        Version(text)
    except InvalidVersion:
        raise UsageError(f"--{name} is a version like 12.4, not `{text}`") from None


def _of_host(rules: Matrix) -> Facts:
    from mlpin import machine
    from mlpin.matrix.gpus import find
    from mlpin.matrix.judge import Facts
    from mlpin.target import parse_platform

    found = machine.detect(os.environ)
    gpus = []
    for gpu in found.gpus:
        if gpu.capability:
            gpus.append((gpu.name or f"sm_{gpu.capability.replace('.', '')}", gpu.capability))
        elif gpu.name:
            gpus.append(find(rules.gpus, gpu.name))
    table = machine.as_target(found)
    return Facts(
        parse_platform(found.platform).kind if found.platform else "",
        found.python,
        found.glibc,
        str(table.get("accelerator", "")),
        found.driver,
        tuple(gpus),
    )


def _configured(root: Path, name: str) -> Target:
    from mlpin.manifest.model import Context
    from mlpin.project import load
    from mlpin.settings import Settings

    project = load(root, Settings(), os.environ, context=Context(root, os.environ, _no_fetch), target=name)
    return project.plans[0].target


def _stack(options: argparse.Namespace, root: Path, target: Target | None) -> Stack:
    from mlpin import stack

    if options.env is not None:
        path = Path(os.path.abspath(root / options.env))
        if not path.exists():
            raise InputError("there is no such environment", where=options.env)
        return stack.environment(path)
    if options.file == "-":
        data = sys.stdin.buffer.read()
        try:
            return stack.read_text(data.decode("utf-8-sig"), target=target)
        except UnicodeDecodeError:
            raise InputError("is not text in UTF-8", where="standard input") from None
    path = Path(os.path.abspath(root / options.file))
    if not path.exists():
        raise InputError("there is no such file", where=options.file)
    return stack.read(path, options.file, target)


def _filled(facts: Facts, stack: Stack, rules: Matrix) -> Facts:
    """What nobody said of the machine, from the target that a lock of mlpin's was made for."""
    from mlpin.matrix.gpus import find
    from mlpin.target import parse_platform

    table = stack.target

    def stated(key: str) -> str:
        value = table.get(key, "")
        return value if isinstance(value, str) else ""

    listed = table.get("gpus")
    gpus = facts.gpus
    if not gpus and isinstance(listed, list):
        gpus = tuple(find(rules.gpus, name) for name in listed if isinstance(name, str))
    return facts._replace(
        platform=facts.platform or (parse_platform(stated("platform")).kind if stated("platform") else ""),
        glibc=facts.glibc or stated("glibc"),
        accelerator=facts.accelerator or stated("accelerator"),
        driver=facts.driver or stated("driver"),
        gpus=gpus,
    )
