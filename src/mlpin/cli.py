"""The command line: options to settings, results to text, errors to exit codes. The only place that prints."""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from mlpin import __version__
from mlpin.errors import InputError, MlpinError, UsageError

if TYPE_CHECKING:
    from mlpin.pipeline import LockResult
    from mlpin.settings import Settings

EXIT_INTERRUPTED = 130
_STDOUT = "standard output"
EXIT_DEFECT = 70
"""EX_SOFTWARE of sysexits.h: a defect of mlpin itself."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message, hint=f"`{self.prog} --help` lists the options")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="mlpin",
        description="Resolve and lock the dependencies of machine-learning projects for the hardware they will run on.",
        epilog="exit codes: 0 done, 1 conflict, 2 wrong usage or input, 3 index not reachable, 4 gave up, "
        "130 interrupted",
    )
    parser.add_argument("--version", action="version", version=f"mlpin {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    _lock_options(
        commands.add_parser("lock", help="resolve the project and write its lock (PEP 751)", description=_LOCK)
    )
    return parser


_LOCK = (
    "Reads the project's manifest, resolves every target and writes one pylock.toml for each. "
    "PATH is a directory or a manifest (pyproject.toml, requirements.txt, environment.yml, Pipfile, setup.cfg, "
    "mlpin.toml, a script with inline metadata)."
)


def _lock_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("path", nargs="?", default=".", metavar="PATH")
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
    _hardware_options(group)
    group = parser.add_argument_group("which versions")
    group.add_argument("-U", "--upgrade", action="store_true", help="let every package leave its locked version")
    group.add_argument("-P", "--upgrade-package", action="append", metavar="NAME", help="let this package; repeatable")
    group.add_argument("--pre", action="store_true", help="admit pre-releases of everything")
    group.add_argument(
        "--prerelease", metavar="MODE", help="disallow, allow, if-necessary, explicit, if-necessary-or-explicit"
    )
    group.add_argument("--resolution", metavar="MODE", help="highest, lowest, lowest-direct")
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
    group = parser.add_argument_group("output")
    group.add_argument("-o", "--output", metavar="PATH", help="the lock file, or a directory where there are several")
    group.add_argument("--format", choices=("text", "json"), default="text")
    group.add_argument("-q", "--quiet", action="store_true", help="print errors only")
    group.add_argument("-v", "--verbose", action="store_true", help="print what is fetched, and every package")


def _hardware_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--accelerator", metavar="KIND", help="cuda, rocm, cpu or metal")
    group.add_argument("--driver", metavar="VERSION", help="the oldest NVIDIA driver that it must run on, like 550.54")
    group.add_argument("--gpu", action="append", metavar="NAME", help="like `RTX 4090` or sm_90; repeatable, all count")
    group.add_argument("--cuda", metavar="RANGE", help="which CUDA versions may be taken, like 12.4 or 12.*")


def _settings(options: argparse.Namespace, root: Path) -> Settings:
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


def _lock(options: argparse.Namespace) -> int:
    from mlpin.pipeline import LockOptions, lock
    from mlpin.report.progress import Progress
    from mlpin.requirement import normalise

    root = Path.cwd()
    path = Path(options.path)
    if not path.exists():
        raise InputError("there is no such file or directory", where=options.path)
    if not path.is_dir() and not path.is_file():
        raise InputError("this is neither a file nor a directory", where=options.path)
    if options.output in {"", "-"}:
        raise UsageError(
            f"-o cannot be `{options.output}`: a lock is a file, beside others for other targets",
            hint="give a file like pylock.toml, or a directory",
        )
    for name in options.upgrade_package or ():
        if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", name):
            raise UsageError(
                f"-P takes the name of a package, not `{name}`", hint="a version belongs into the manifest, or into -c"
            )
    upgrade = frozenset({":all:"} if options.upgrade else {normalise(name) for name in options.upgrade_package or ()})
    asked = LockOptions(
        path=Path(os.path.abspath(root / path)),
        root=root,
        settings=_settings(options, root),
        environ=os.environ,
        target=options.target,
        output=Path(os.path.abspath(root / options.output)) if options.output is not None else None,
        upgrade=upgrade,
        refresh=options.refresh,
    )
    silent = options.quiet or (options.format == "json" and not options.verbose)
    progress = None
    if not silent:
        live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb" and not os.environ.get("CI")
        width = (os.get_terminal_size(sys.stderr.fileno()).columns if live else 0) or 80
        progress = Progress(sys.stderr, live=live, width=width, verbose=options.verbose)
    try:
        result = lock(asked, progress.event if progress else None, progress.decided if progress else None)
    finally:
        if progress:
            progress.close()
    return _shown(result, options, root)


def _say(text: str) -> None:
    """Write to standard output. Whoever does not want to read on does not change how the command ends."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - so that the flush at exit does not fail again
    except OSError as error:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        raise InputError(f"cannot be written: {error.strerror}", where=_STDOUT) from None


def _complain(text: str) -> None:
    try:
        sys.stderr.write(text)
    except BrokenPipeError:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115


def _shown(result: LockResult, options: argparse.Namespace, root: Path) -> int:
    from mlpin.outcome import Conflict, GaveUp
    from mlpin.project import shown

    files = [shown(target.plan.lock, root) for target in result.targets]
    outcomes = [target.outcome for target in result.targets]
    if options.format == "json":
        from mlpin.report import data

        _say(data.lock(result, files))
    else:
        from mlpin.report import text

        failed = [target for target in result.targets if isinstance(target.outcome, Conflict | GaveUp)]
        for target in failed:
            _complain(text.conflict(target, result.indexes))
        if not failed and not options.quiet:
            _say(text.summary(result, files, verbose=options.verbose))
    if any(isinstance(outcome, Conflict) for outcome in outcomes):
        return 1
    return 4 if any(isinstance(outcome, GaveUp) for outcome in outcomes) else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code. No exception leaves it."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        options = _parser().parse_args(given)
        if options.command is None:
            _parser().print_help()
            return 2
        return _lock(options)
    except MlpinError as problem:
        return _failed(problem, given)
    except KeyboardInterrupt:
        _complain("\ninterrupted; no lock was changed\n")
        return EXIT_INTERRUPTED
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 0
    except RecursionError:
        return _failed(InputError("the input is nested too deeply"), given)
    except OSError as problem:
        reason = problem.strerror or str(problem)
        return _failed(InputError(reason, where=str(problem.filename) if problem.filename else None), given)
    except Exception as problem:
        if os.environ.get("MLPIN_DEBUG"):
            raise
        _complain(
            f"error: mlpin has a defect: {type(problem).__name__}: {problem}\n"
            "  hint: please report it; MLPIN_DEBUG=1 shows where it happened\n"
        )
        return EXIT_DEFECT


def _failed(problem: MlpinError, given: Sequence[str]) -> int:
    as_json = ("json" in given and "--format" in given) or "--format=json" in given
    if as_json and problem.where != _STDOUT:
        from mlpin.report import data

        with contextlib.suppress(InputError):
            _say(data.error(problem))
            return problem.exit_code
    from mlpin.report import text

    _complain(text.error(problem))
    return problem.exit_code


def _streams() -> None:
    """A stream that was closed for us (`>&-`) is None; what goes there is not wanted."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115


def run() -> NoReturn:
    """The console script. Leaves at once: worker threads have nothing to finish."""
    # A run makes a great many small values and ends: looking for cycles among them again and again is lost time.
    gc.set_threshold(200_000, 50, 50)
    _streams()
    code = main()
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    os._exit(code)
