"""Times loading and solving conda environments, mlpin's solver and py-rattler's in turn, and prints medians.

The environments and the channels are those of ../shared/conda. Each timing is of a process of its own, over the same
unpacked local channels with the files warm: from the wishes to the answer, the repodata of all names that are reached
included, the start of the process and its imports not. It refuses to know which answer is better; it only tells where
they differ.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SHARED = Path(__file__).resolve().parents[2] / "shared" / "conda"
SOLVERS = ("mlpin", "rattler")
WITHIN = 4.0
"""The median ratio that we allow ourselves."""
SLOWEST = 3.0
"""Seconds that we allow ourselves in any case."""
MACHINE = ("__archspec", "__cuda", "__glibc", "__linux", "__osx", "__unix", "__win")
"""All that a machine may bring along; a case names those that it has."""


class Timed(NamedTuple):
    """One answer."""

    seconds: float
    packages: list[str] | None
    """File names, sorted; None: there is no solution."""


# ------------------------------------------------------------------------------------------------ in the worker


def by_mlpin(case: Mapping[str, Any], channels: Path) -> Timed:
    """Our answer, as `mlpin lock` comes to it once it has read its files."""
    import gc
    from importlib import import_module

    from mlpin.conda.record import CondaRecord
    from mlpin.conda.spec import match_spec
    from mlpin.conda.virtual import platform_of
    from mlpin.index.channel_names import ChannelPlace
    from mlpin.index.channels import Channels
    from mlpin.outcome import Conflict, Resolution
    from mlpin.requirement import Declared, Origin
    from mlpin.resolver.policy import Policy
    from mlpin.resolver.solve import solve
    from mlpin.resolver.view import View
    from mlpin.target import Target, parse_platform

    class Catalog:
        """Channels, and no index: nobody asks one here."""

        opened: Channels | None = None

        def records(
            self, names: Sequence[str], subdir: str, wanted: Sequence[str]
        ) -> Mapping[str, Sequence[CondaRecord]]:
            if self.opened is None:
                self.opened = Channels([ChannelPlace(name, (channels / name).as_uri()) for name in names], subdir)
            return self.opened.records(wanted)

        def foresee(self, guess: object) -> None:
            pass

    for late in ("rattler", "rattler.networking", "rattler.repo_data"):
        import_module(late)
    gc.set_threshold(200_000, 50, 50)  # as the command does
    start = time.perf_counter()
    machine = {**dict.fromkeys(MACHINE, ""), **case["virtual_packages"]}
    target = Target(
        "",
        "3.11",
        parse_platform(platform_of(case["platform"])),
        waived=frozenset({"python"}),
        virtual=tuple(machine.items()),
    )
    policy = Policy(channels=tuple(case["channels"]), channel_priority=case.get("channel_priority") or "strict")
    view = View(target, cast("Any", Catalog()), policy)
    lines = [
        Declared(match_spec(text).name, Origin("manifest", "environment.yml", number, text), conda=text)
        for number, text in enumerate(case["specs"], 1)
    ]
    outcome = solve(view, view.roots(lines))
    seconds = time.perf_counter() - start
    if isinstance(outcome, Resolution):
        return Timed(seconds, sorted(record.filename for record in outcome.conda.values()))
    if isinstance(outcome, Conflict):
        return Timed(seconds, None)
    raise SystemExit("mlpin gave up")


def by_rattler(case: Mapping[str, Any], channels: Path) -> Timed:
    """py-rattler's answer, through its gateway."""
    import rattler
    from rattler.exceptions import SolverError

    names = rattler.channel.ChannelConfig(channel_alias=f"{channels.as_uri()}/")

    async def solved() -> list[str] | None:
        machine = []
        for name, text in case["virtual_packages"].items():
            version, _, build = text.partition("=")
            machine.append(
                rattler.GenericVirtualPackage(
                    rattler.PackageName(name), rattler.Version(version), rattler.BuildString(build or "0")
                )
            )
        strict = (case.get("channel_priority") or "strict") == "strict"
        try:
            found = await rattler.solve(
                [rattler.Channel(name, names) for name in case["channels"]],
                [rattler.MatchSpec(f"{channels.as_uri()}/{text}" if "::" in text else text) for text in case["specs"]],
                gateway=rattler.Gateway(),
                platforms=[case["platform"], "noarch"],
                virtual_packages=machine,
                channel_priority=rattler.ChannelPriority.Strict if strict else rattler.ChannelPriority.Disabled,
                channel_relations="disabled",
            )
        except SolverError:
            return None
        return sorted(record.file_name for record in found)

    start = time.perf_counter()
    packages = asyncio.run(solved())
    return Timed(time.perf_counter() - start, packages)


def work(solver: str, path: Path, channels: Path) -> None:
    """Answer one case, and leave at once: rattler's threads may crash at the interpreter's own exit."""
    case = json.loads(path.read_text(encoding="utf-8"))
    timed = (by_mlpin if solver == "mlpin" else by_rattler)(case, channels)
    print(json.dumps(timed), flush=True)
    os._exit(0)


# ------------------------------------------------------------------------------------------------ in the parent


class Row(NamedTuple):
    """One case."""

    name: str
    ours: float
    """Seconds, median of the rounds."""
    theirs: float
    ratio: float
    """Ours over theirs, in each round; the median of the rounds."""
    answer: str


def asked(solver: str, path: Path, channels: Path) -> Timed:
    """What a fresh process answers."""
    argv = [sys.executable, __file__, "--worker", solver, "--channels", str(channels), str(path)]
    done = subprocess.run(argv, stdout=subprocess.PIPE, check=True)
    return Timed(*json.loads(done.stdout))


def row(path: Path, channels: Path, rounds: int) -> Row:
    """One case, both solvers in turn, after a round that is not timed."""
    found: dict[str, list[Timed]] = {solver: [] for solver in SOLVERS}
    for number in range(rounds + 1):
        for solver in SOLVERS:
            timed = asked(solver, path, channels)
            if number:
                found[solver].append(timed)
    ours, theirs = found.values()
    mine, other = ours[-1].packages, theirs[-1].packages
    if mine is None or other is None:
        answer = "none" if mine is other is None else f"only {'mlpin' if other is None else 'rattler'} has one"
    else:
        answer = "same" if mine == other else f"{len(set(other) - set(mine))} of {len(other)} otherwise"
    return Row(
        path.stem,
        statistics.median(one.seconds for one in ours),
        statistics.median(one.seconds for one in theirs),
        statistics.median(one.seconds / two.seconds for one, two in zip(ours, theirs, strict=True)),
        answer,
    )


def unpacked(source: Path, into: Path) -> None:
    """Writes channels with plain repodata, which py-rattler reads from a directory, and with every subdir."""
    import zstandard

    for packed in source.glob("*/*/repodata.json.zst"):
        folder = into / packed.relative_to(source).parent
        folder.mkdir(parents=True)
        with packed.open("rb") as raw, (folder / "repodata.json").open("wb") as plain:
            zstandard.ZstdDecompressor().copy_stream(raw, plain)
    for channel in into.iterdir():
        for subdir in ("noarch", "linux-64", "linux-aarch64", "osx-64", "osx-arm64", "win-64"):
            if not (channel / subdir).is_dir():
                (channel / subdir).mkdir()
                empty = {"info": {"subdir": subdir}, "packages": {}, "packages.conda": {}, "repodata_version": 1}
                (channel / subdir / "repodata.json").write_text(json.dumps(empty))


def table(rows: Iterable[Row]) -> Iterable[str]:
    """A line per case."""
    for one in rows:
        yield f"{one.name:<32} {one.ours:>8.3f} {one.theirs:>10.3f} {one.ratio:>6.2f}  {one.answer}"


def main() -> None:
    """Run what was asked for, print a line per case and what it comes to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", help="cases by name (default: all)")
    parser.add_argument("--shared", type=Path, default=SHARED, help="folder of the cases (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="timed runs of each solver (default: 5)")
    parser.add_argument("--worker", choices=SOLVERS, help=argparse.SUPPRESS)
    parser.add_argument("--channels", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        work(given.worker, Path(given.cases[0]), given.channels)
    paths = sorted(given.shared.glob("expected/*.json"))
    if given.cases:
        paths = [path for path in paths if path.stem in given.cases]
    if not paths:
        print(f"no cases in {given.shared}: nothing is timed", file=sys.stderr)
        return
    print(f"{'case':<32} {'mlpin s':>8} {'rattler s':>10} {'ratio':>6}  answer", flush=True)
    rows = []
    with tempfile.TemporaryDirectory(prefix="mlpin-bench-") as scratch:
        unpacked(given.shared / "channel", Path(scratch))
        for path in paths:
            rows.append(row(path, Path(scratch), given.rounds))
            print(*table(rows[-1:]), flush=True)
    median = statistics.median(one.ratio for one in rows)
    slowest = max(rows, key=lambda one: one.ours)
    print(f"\nratio: median {median:.2f} (wanted: at most {WITHIN:g})")
    print(f"slowest: {slowest.name}, {slowest.ours:.2f} s (wanted: at most {SLOWEST:g} s)")
    if median > WITHIN or slowest.ours > SLOWEST:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
