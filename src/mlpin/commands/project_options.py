"""The options of every command that resolves a project, and the settings that they make."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mlpin.commands.machine_options import hardware
from mlpin.errors import InputError, UsageError

if TYPE_CHECKING:
    from mlpin.opening import RunOptions
    from mlpin.report.progress import Progress
    from mlpin.settings import Settings


def options(parser: argparse.ArgumentParser, *, resolving: bool = True) -> None:
    """What is asked for, for which machine, from which indexes; unless `resolving`, nothing that chooses versions."""
    group = parser.add_argument_group("what is locked")
    group.add_argument("--extra", action="append", metavar="NAME", help="include an extra of the project; repeatable")
    group.add_argument("--all-extras", action="store_true", default=None)
    group.add_argument("--group", action="append", metavar="NAME", help="include a dependency group; repeatable")
    group.add_argument("--no-default-groups", action="store_true", help="leave the default groups out")
    group.add_argument(
        "-c", "--constraint", action="append", metavar="FILE", help="restrict versions without asking for them"
    )
    group.add_argument("--override", action="append", metavar="FILE", help="replace whatever asks for these packages")
    group = parser.add_argument_group("for which machine")
    group.add_argument("--target", metavar="NAME", help="only this target of [tool.mlpin.targets]")
    group.add_argument("--python", "--python-version", action="append", metavar="VERSION", help="like 3.11; repeatable")
    group.add_argument(
        "--platform", "--python-platform", metavar="NAME", help="linux-x86_64, macos-14-arm64, windows-amd64, …"
    )
    group.add_argument("--glibc", metavar="VERSION", help="the oldest glibc that it must run on, like 2.28")
    hardware(group)
    group.add_argument("--cuda", metavar="RANGE", help="which CUDA versions may be taken, like 12.4 or 12.*")
    group = parser.add_argument_group("which versions")
    if resolving:
        group.add_argument("-U", "--upgrade", action="store_true", help="let every package leave its locked version")
        group.add_argument(
            "-P", "--upgrade-package", action="append", metavar="NAME", help="let this package; repeatable"
        )
    else:
        parser.set_defaults(upgrade=False, upgrade_package=None)
    group.add_argument("--pre", action="store_true", help="admit pre-releases of everything")
    group.add_argument(
        "--prerelease", metavar="MODE", help="disallow, allow, if-necessary, explicit, if-necessary-or-explicit"
    )
    group.add_argument("--resolution", metavar="MODE", help="highest, lowest, lowest-direct")
    group.add_argument("--prefer", metavar="WORLD", help="conda or pypi: whose packages, where both have them")
    group.add_argument("--exclude-newer", metavar="WHEN", help="a date, a time, or a span like `7 days`")
    group.add_argument("--only-binary", action="append", metavar="NAMES", help="wheels only, for :all: or names")
    group.add_argument("--no-binary", action="append", metavar="NAMES", help="source archives only, for :all: or names")
    group = parser.add_argument_group("indexes")
    group.add_argument("-i", "--index-url", "--default-index", metavar="URL")
    group.add_argument(
        "--extra-index-url", action="append", metavar="URL", help="asked before the main one; repeatable"
    )
    group.add_argument(
        "-f", "--find-links", action="append", metavar="PLACE", help="a directory or a page of links; repeatable"
    )
    group.add_argument("--no-index", action="store_true", default=None, help="use only --find-links")
    group.add_argument(
        "--pytorch-index-url", metavar="URL", help="above PyTorch's indexes per CUDA version; `none` to do without"
    )
    group.add_argument("--index-strategy", metavar="MODE", help="first-index, unsafe-first-match, unsafe-best-match")
    group.add_argument(
        "--channel", action="append", metavar="NAME", help="a conda channel: a name, URL or path; repeatable"
    )
    group.add_argument("--channel-priority", metavar="MODE", help="strict, flexible, disabled")
    group.add_argument("--trusted-host", action="append", metavar="HOST")
    group.add_argument("--cert", metavar="FILE")
    group.add_argument("--client-cert", metavar="FILE")
    group.add_argument("--proxy", metavar="URL")
    group.add_argument("--timeout", type=float, metavar="SECONDS")
    group.add_argument("--retries", type=int, metavar="N")
    group = parser.add_argument_group("cache")
    group.add_argument("--offline", action="store_true", default=None, help="ask no index, use the cache only")
    group.add_argument("--refresh", action="store_true", help="ask the index again, whatever the cache has")
    group.add_argument("--cache-dir", metavar="DIR")
    group.add_argument("--no-cache", action="store_true", default=None)


def settings_of(options: argparse.Namespace, root: Path) -> Settings:
    """The layer of the command line."""
    from mlpin.config.mlpin_table import mlpin_table
    from mlpin.fields import Fields
    from mlpin.manifest.model import Context

    plain = {
        "index-url": options.index_url,
        "extra-index-urls": options.extra_index_url,
        "find-links": options.find_links,
        "no-index": options.no_index,
        "index-strategy": options.index_strategy,
        "channels": options.channel,
        "channel-priority": options.channel_priority,
        "prefer": options.prefer,
        "trusted-hosts": options.trusted_host,
        "cert": options.cert,
        "client-cert": options.client_cert,
        "proxy": options.proxy,
        "timeout": options.timeout,
        "retries": options.retries,
        "python": options.python,
        "platform": options.platform,
        "glibc": options.glibc,
        "accelerator": options.accelerator,
        "driver": options.driver,
        "gpus": options.gpu,
        "cuda": options.cuda,
        "indexes": {"pytorch": options.pytorch_index_url} if options.pytorch_index_url else None,
        "extras": options.extra,
        "all-extras": options.all_extras,
        "groups": options.group,
        "default-groups": [] if options.no_default_groups else None,
        "prerelease": "allow" if options.pre else options.prerelease,
        "resolution": options.resolution,
        "exclude-newer": options.exclude_newer,
        "only-binary": _split(options.only_binary),
        "no-binary": _split(options.no_binary),
        "constraints": [f"-c {file}" for file in options.constraint or ()] or None,
        "overrides": [f"-c {file}" for file in options.override or ()] or None,
        "offline": options.offline,
        "cache-dir": options.cache_dir,
        "no-cache": options.no_cache,
    }
    said = {key: value for key, value in plain.items() if value is not None}
    context = Context(root, os.environ, _no_fetch)
    return mlpin_table(Fields(said, "command line"), base=root, context=context)


def _no_fetch(url: str) -> str:
    raise InputError("cannot be fetched", where=url)


def _split(values: list[str] | None) -> list[str] | None:
    return [name.strip() for value in values for name in value.split(",") if name.strip()] if values else None


def run_options(
    options: argparse.Namespace, where: str, *, output: Path | None = None, dry: bool = False
) -> RunOptions:
    """What the command was asked for, of the project at `where`. Raises `InputError` and `UsageError`."""
    from mlpin.opening import RunOptions
    from mlpin.requirement import normalise

    root = Path.cwd()
    path = Path(where)
    if not path.exists():
        raise InputError("there is no such file or directory", where=where)
    if not path.is_dir() and not path.is_file():
        raise InputError("this is neither a file nor a directory", where=where)
    for name in options.upgrade_package or ():
        if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", name):
            raise UsageError(
                f"-P takes the name of a package, not `{name}`", hint="a version belongs into the manifest, or into -c"
            )
    names = {":all:"} if options.upgrade else {normalise(name) for name in options.upgrade_package or ()}
    return RunOptions(
        path=Path(os.path.abspath(root / path)),
        root=root,
        settings=settings_of(options, root),
        environ=os.environ,
        target=options.target,
        output=output,
        upgrade=frozenset(names),
        refresh=options.refresh,
        dry=dry,
    )


@contextmanager
def progress(*, silent: bool, verbose: bool = False) -> Iterator[Progress | None]:
    """What tells on standard error how far it is; None where nothing is to be told."""
    if silent:
        yield None
        return
    from mlpin.report.progress import Progress

    live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb" and not os.environ.get("CI")
    width = (os.get_terminal_size(sys.stderr.fileno()).columns if live else 0) or 80
    found = Progress(sys.stderr, live=live, width=width, verbose=verbose)
    try:
        yield found
    finally:
        found.close()


_OF_OUTPUT = {"command", "path", "words", "format", "quiet", "verbose", "output", "apply", "all", "why_not"}


def apply_first(options: argparse.Namespace, where: str) -> str:
    """How a user makes the first repair, in words. The options are not repeated: a URL may hold a password."""
    path = "" if where == "." else f" {where}"
    said = any(value not in (None, False) for name, value in vars(options).items() if name not in _OF_OUTPUT)
    return f"`mlpin explain{path} --apply 1`" + (" with the same options" if said else "")
