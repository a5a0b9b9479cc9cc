"""Times whole lock commands, ours and its peers' in turn, and prints medians.

It knows: how each tool is called so that all answer about the same question, which runs are comparable
(same round, same index, same cache state), and what a run cost (wall time of fork to exit, peak memory,
requests). A run that fails is never timed. It refuses to know whether the locks are right; it only counts
their pins.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
import urllib.request
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from index import default_store, upstream_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

OURS = "mlpin"
FAST = (OURS, "uv", "uv-nohash")
RELOCKERS = FAST
SLOW = ("pip-compile", "pdm", "poetry")
DOWNLOADERS = SLOW
MODES = ("cold", "warm", "relock")
BESIDE = str(Path(sys.executable).parent)  # where `make bench` has mlpin and uv
STRIPPED = ("PIP_", "UV_", "MLPIN_", "PDM_", "POETRY_", "XDG_", "PYTHON", "VIRTUAL_ENV", "CONDA_")


# ------------------------------------------------------------------------------------------------ what is run


@dataclass(frozen=True, slots=True)
class Project:
    """A folder of examples/: its name, its pyproject.toml and the requirements in it."""

    name: str
    folder: Path
    requirements: tuple[str, ...]

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a project's direct dependencies."""
        table = tomllib.loads((folder / "pyproject.toml").read_text())
        return cls(folder.name, folder, tuple(table["project"]["dependencies"]))


@dataclass(frozen=True, slots=True)
class Place:
    """Where one tool works on one project: scratch copies of the project, its cache, its home, its output."""

    root: Path

    @property
    def project(self) -> Path:
        """The scratch copy of the project."""
        return self.root / "project"

    @property
    def cache(self) -> Path:
        """The tool's cache."""
        return self.root / "cache"

    @property
    def home(self) -> Path:
        """The tool's HOME."""
        return self.root / "home"

    @property
    def out(self) -> Path:
        """A folder for output, for tools that let one choose."""
        return self.root / "out"


@dataclass(frozen=True, slots=True)
class Command:
    """One call of a tool: its words, its own environment variables, and the lock it writes."""

    argv: tuple[str, ...]
    output: Path
    extra: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool by name, the command words that start it, and how to put a project before it."""

    name: str
    words: tuple[str, ...]
    prepare: Callable[[Tool, Project, Place, str], Command]

    @property
    def found(self) -> bool:
        """Whether the tool is there to be run."""
        return shutil.which(self.words[0]) is not None


def _mlpin(tool: Tool, project: Project, place: Place, url: str) -> Command:
    shutil.copy(project.folder / "pyproject.toml", place.project)
    output = place.out / "pylock.toml"
    argv = ("lock", str(place.project), "--python", "3.11", "--platform", "linux-x86_64", "--index-url", url)
    return Command((*tool.words, *argv, "--cache-dir", str(place.cache), "-o", str(output), "--quiet"), output)


def _uv(tool: Tool, project: Project, place: Place, url: str) -> Command:
    shutil.copy(project.folder / "pyproject.toml", place.project)
    output = place.out / "requirements.txt"
    argv = [
        "pip",
        "compile",
        str(place.project / "pyproject.toml"),
        "--no-config",
        "--no-header",
        "--no-annotate",
    ]
    argv += [
        "--python-version",
        "3.11",
        "--python-platform",
        "x86_64-manylinux_2_28",
        "--no-python-downloads",
    ]
    argv += ["--default-index", url, "--cache-dir", str(place.cache), "--quiet", "-o", str(output)]
    if tool.name == "uv":
        argv.append("--generate-hashes")
    return Command((*tool.words, *argv), output)


def _pip_compile(tool: Tool, project: Project, place: Place, url: str) -> Command:
    # A requirements file: a pyproject.toml would be built first, which is not what is measured here.
    source = place.project / "requirements.in"
    source.write_text("".join(f"{line}\n" for line in project.requirements))
    # No fast-deps: the full index has metadata files, and with it pip fetches every wheel at the end.
    output = place.out / "requirements.txt"
    argv = ["--no-config", "--no-header", "--no-annotate", "--strip-extras", "--allow-unsafe", "--quiet"]
    argv += ["--generate-hashes", "--index-url", url, "--no-emit-index-url", "--cache-dir", str(place.cache)]
    if url.startswith("http://"):  # pip caches nothing from a plain http host that it was not told to trust
        argv += ["--trusted-host", str(urlsplit(url).hostname), "--no-emit-trusted-host"]
    argv += ["-o", str(output), str(source)]
    return Command((*tool.words, *argv), output)


def _pyproject(project: Project, place: Place, rest: str) -> None:
    lines = "".join(f"    {json.dumps(line)},\n" for line in project.requirements)
    (place.project / "pyproject.toml").write_text(
        f'[project]\nname = "{project.name}"\nversion = "0"\nrequires-python = "==3.11.*"\n'
        f"dependencies = [\n{lines}]\n\n{rest}"
    )


def _pdm(tool: Tool, project: Project, place: Place, url: str) -> Command:
    source = f'[tool.pdm]\ndistribution = false\n\n[[tool.pdm.source]]\nname = "pypi"\nurl = "{url}"\n'
    _pyproject(project, place, source + "verify_ssl = true\n")
    (place.project / ".pdm-python").write_text(sys.executable)
    output = place.project / "pdm.lock"
    argv = (
        "lock",
        "--project",
        str(place.project),
        "--python",
        "==3.11.*",
        "--platform",
        "manylinux_2_28_x86_64",
    )
    extra = {"PDM_CACHE_DIR": str(place.cache), "PDM_CHECK_UPDATE": "0", "PDM_LOG_DIR": str(place.home)}
    return Command((*tool.words, *argv, "--implementation", "cpython", "--quiet"), output, extra)


def _poetry(tool: Tool, project: Project, place: Place, url: str) -> Command:
    source = '[[tool.poetry.source]]\nname = "bench"\npriority = "primary"\n' + f'url = "{url}/"\n'
    _pyproject(project, place, "[tool.poetry]\npackage-mode = false\n\n" + source)
    argv = ("lock", "--directory", str(place.project), "--no-interaction", "--quiet")
    extra = {
        "POETRY_CACHE_DIR": str(place.cache),
        "POETRY_CONFIG_DIR": str(place.home),
        "POETRY_DATA_DIR": str(place.home),
        "POETRY_VIRTUALENVS_CREATE": "false",
        "POETRY_KEYRING_ENABLED": "false",
    }
    return Command((*tool.words, *argv), place.project / "poetry.lock", extra)


PREPARE = {
    OURS: _mlpin,
    "uv": _uv,
    "uv-nohash": _uv,
    "pip-compile": _pip_compile,
    "pdm": _pdm,
    "poetry": _poetry,
}


def environment(place: Place, extra: dict[str, str]) -> dict[str, str]:
    """The environment of a run: no settings of the tools, a home of its own, this Python first."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(STRIPPED)}
    own = {
        "HOME": str(place.home),
        "PIP_CONFIG_FILE": os.devnull,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"]),
    }
    return kept | own | extra


# ---------------------------------------------------------------------------------------- what a run has cost


@dataclass(frozen=True, slots=True)
class Run:
    """One finished run; ``why`` is empty where it did what it should."""

    seconds: float
    peak_mb: float
    requests: int | None
    pins: int
    why: str = ""


@dataclass(slots=True)
class Result:
    """All timed runs of one tool on one project, by round; ``failed`` says why there are none."""

    index: str
    project: str
    mode: str
    tool: str
    runs: list[Run] = field(default_factory=list)
    failed: str = ""


def _pins(output: Path) -> int:
    text = output.read_text()
    return len(re.findall(r"^(?:\[\[packages?\]\]|[A-Za-z0-9][\w.\-]*(?:\[.*\])?\s*==)", text, re.MULTILINE))


def execute(command: Command, place: Place, timeout: float, served: Served | None) -> Run:
    """Run a command to its end: exit code checked, wall time and peak memory of it and its children taken."""
    env = environment(place, command.extra)
    if served:
        served.ask("_reset")
    with tempfile.TemporaryFile() as said:
        start = time.perf_counter()
        process = subprocess.Popen(
            command.argv,
            cwd=place.project,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            process_group=0,
        )
        timer = threading.Timer(timeout, os.killpg, (process.pid, signal.SIGKILL))
        timer.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - start
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        finally:
            timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        tail = said.read()[-2000:].decode(errors="replace").strip()
    requests = served.ask("_stats").get("total", 0) if served else None
    peak = usage.ru_maxrss / 1024
    if seconds >= timeout:
        return Run(seconds, peak, requests, 0, f"stopped after {timeout:.0f} s")
    if process.returncode:
        return Run(seconds, peak, requests, 0, f"exit code {process.returncode}: {tail}")
    if not command.output.exists():
        return Run(seconds, peak, requests, 0, f"no {command.output.name} written: {tail}")
    return Run(seconds, peak, requests, _pins(command.output))


class Served:
    """The recorded index in a process of its own, so that its memory is not counted in anyone's peak."""

    def __init__(self, store: Path, latency_ms: float) -> None:
        script = str(Path(__file__).with_name("index.py"))
        argv = [sys.executable, script, "--store", str(store), "--latency-ms", str(latency_ms), "--until-eof"]
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        self.url = self._process.stdout.readline().strip()
        if not self.url:
            raise SystemExit("the index did not start")

    def ask(self, path: str) -> dict[str, int]:
        """``_stats`` or ``_reset``."""
        with urllib.request.urlopen(f"{self.url.removesuffix('simple')}{path}") as answer:
            counts: dict[str, int] = json.load(answer)
            return counts

    def close(self) -> None:
        """Stop serving."""
        self._process.communicate()


# ------------------------------------------------------------------------------------------------- the rounds


@dataclass(frozen=True, slots=True)
class Plan:
    """How often, how long, where."""

    rounds: int
    slow_rounds: int
    timeout: float
    scratch: Path

    def rounds_of(self, tool: Tool) -> int:
        """How many timed runs a tool gets."""
        return self.slow_rounds if tool.name in SLOW else self.rounds


@dataclass(slots=True)
class Bench:
    """One index setting: every project, every mode, every tool in turn."""

    index: str
    url: str
    served: Served | None
    plan: Plan
    broken: dict[tuple[str, str], str] = field(default_factory=dict)
    """Why a tool's untimed run on a project failed, by tool and project."""

    def project(self, project: Project, tools: Sequence[Tool], modes: Iterable[str]) -> Iterable[Result]:
        """The results of one project; each tool runs once untimed first, which records what it asks for."""
        for tool in tools:
            _say(f"{self.index} {project.name}: untimed run of {tool.name}")
            place = self._place(tool)
            run = execute(tool.prepare(tool, project, place, self.url), place, self.plan.timeout, self.served)
            if run.why:
                self.broken[tool.name, project.name] = run.why
                _say(f"  {tool.name} failed: {run.why}")
            shutil.rmtree(place.root)
        for mode in modes:
            named = [tool for tool in tools if mode != "relock" or tool.name in RELOCKERS]
            yield from self._mode(project, named, mode)

    def _mode(self, project: Project, tools: Sequence[Tool], mode: str) -> list[Result]:
        results = {tool.name: Result(self.index, project.name, mode, tool.name) for tool in tools}
        places: dict[str, Place] = {}
        for tool in tools:
            results[tool.name].failed = self.broken.get((tool.name, project.name), "")
            if mode != "cold" and not results[tool.name].failed:
                places[tool.name] = place = self._place(tool)
                command = tool.prepare(tool, project, place, self.url)
                filled = execute(command, place, self.plan.timeout, self.served)
                results[tool.name].failed = filled.why
        for number in range(max(map(self.plan.rounds_of, tools), default=0)):
            for tool in tools:
                result = results[tool.name]
                if result.failed or number >= self.plan.rounds_of(tool):
                    continue
                place = self._place(tool) if mode == "cold" else places[tool.name]
                command = tool.prepare(tool, project, place, self.url)
                if mode != "relock":
                    command.output.unlink(missing_ok=True)
                run = execute(command, place, self.plan.timeout, self.served)
                if run.why:
                    result.failed = run.why
                    result.runs.clear()
                else:
                    result.runs.append(run)
        for tool in tools:
            shutil.rmtree(self.plan.scratch / tool.name, ignore_errors=True)
        return list(results.values())

    def _place(self, tool: Tool) -> Place:
        """A place with nothing in it yet."""
        place = Place(self.plan.scratch / tool.name)
        shutil.rmtree(place.root, ignore_errors=True)
        for folder in (place.project, place.cache, place.home, place.out):
            folder.mkdir(parents=True)
        return place


# ------------------------------------------------------------------------------------------------- the report


def ratio(ours: Result, peer: Result) -> float | None:
    """Ours over the peer's, as the median of the rounds both took part in."""
    pairs = list(zip(ours.runs, peer.runs, strict=False))
    return statistics.median(a.seconds / b.seconds for a, b in pairs) if pairs else None


def table(results: Sequence[Result]) -> str:
    """The results of one project as lines of text."""
    lines = []
    for result in results:
        where = f"{result.index:<7} {result.project:<14} {result.mode:<7} {result.tool:<12}"
        if not result.runs:
            lines.append(f"{where} failed: {(result.failed.splitlines() or ['not run'])[0][:80]}")
            continue
        same = (r for r in results if r.mode == result.mode and r.tool == OURS)
        ours = next(same, None)
        over = ratio(ours, result) if ours and ours is not result else None
        sent = [run.requests for run in result.runs if run.requests is not None]
        seconds = [run.seconds for run in result.runs]
        lines.append(
            f"{where} {statistics.median(seconds):>8.3f} {min(seconds):>8.3f} {max(seconds):>8.3f}"
            f" {'-' if over is None else format(over, '.2f'):>10}"
            f" {int(statistics.median(sent)) if sent else '-':>8}"
            f" {max(run.peak_mb for run in result.runs):>7.0f} {result.runs[-1].pins:>5} {len(seconds):>4}"
        )
    return "\n".join(lines)


HEADER = (
    f"{'index':<7} {'project':<14} {'mode':<7} {'tool':<12} {'median s':>8} {'min s':>8} {'max s':>8}"
    f" {'ours/peer':>10} {'requests':>8} {'peak MB':>7} {'pins':>5} {'runs':>4}"
)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    examples = Path(__file__).resolve().parent.parent / "examples"
    parser.add_argument("projects", nargs="*", help="projects by name (default: all)")
    parser.add_argument("--examples", type=Path, default=examples, help="folder of the projects")
    parser.add_argument("--index", choices=("full", "mirror"), action="append", help="default: full")
    parser.add_argument("--mode", choices=MODES, action="append", help="default: cold, warm and relock")
    parser.add_argument("--tools", default=f"{OURS},uv", help=f"some of {','.join(PREPARE)} (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="timed runs of each tool (default: 5)")
    parser.add_argument("--slow-rounds", type=int, default=1, help=f"of {', '.join(SLOW)} (default: 1)")
    parser.add_argument("--timeout", type=float, default=600, help="seconds a run may take (default: 600)")
    parser.add_argument("--latency-ms", type=float, default=20, help="of the full index (default: 20)")
    parser.add_argument("--store", type=Path, default=default_store(), help="recording of the full index")
    parser.add_argument("--scratch", type=Path, help="where caches and outputs go (default: the temp folder)")
    parser.add_argument("--allow-downloads", action="store_true", help="let peers fetch whole wheels from the mirror")
    parser.add_argument("--json", type=Path, help="save every run here")
    for name in (OURS, "uv", "pip-compile", "pdm", "poetry"):
        parser.add_argument(f"--{name}", default=name, metavar="WORDS", help=f"how to start {name}")
    return parser.parse_args()


def _tools(given: argparse.Namespace) -> list[Tool]:
    tools = []
    for name in given.tools.split(","):
        if name not in PREPARE:
            raise SystemExit(f"no such tool: {name}; there are {', '.join(PREPARE)}")
        words = shlex.split(getattr(given, name.removesuffix("-nohash").replace("-", "_")))
        where = shutil.which(words[0], path=os.pathsep.join((BESIDE, os.environ.get("PATH", os.defpath))))
        tool = Tool(name, (where or words[0], *words[1:]), PREPARE[name])
        if tool.found:
            tools.append(tool)
        else:
            _say(f"{name} is skipped: {words[0]} was not found (say --{name.removesuffix('-nohash')} PATH)")
    return tools


def _allowed(tool: Tool, index: str, given: argparse.Namespace) -> bool:
    """Peers that download whole wheels where an index has no metadata files are kept from doing it."""
    if index == "full" or tool.name not in DOWNLOADERS or given.allow_downloads:
        return True
    _say(f"{tool.name} is skipped on the mirror: it may download gigabytes of wheels there (--allow-downloads)")
    return False


def main() -> None:
    """Run what was asked for, print a line per tool, save all runs."""
    given = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that scratch caches are removed
    folders = sorted(path.parent for path in given.examples.glob("*/pyproject.toml"))
    projects = [Project.load(folder) for folder in folders if not given.projects or folder.name in given.projects]
    if not projects:
        raise SystemExit(f"no projects in {given.examples}")
    tools = _tools(given)
    results: list[Result] = []
    print(HEADER, flush=True)
    with tempfile.TemporaryDirectory(prefix="mlpin-bench-", dir=given.scratch) as scratch:
        plan = Plan(given.rounds, given.slow_rounds, given.timeout, Path(scratch))
        for index in given.index or ["full"]:
            served = Served(given.store, given.latency_ms) if index == "full" else None
            try:
                bench = Bench(index, served.url if served else upstream_url(), served, plan)
                named = [tool for tool in tools if _allowed(tool, index, given)]
                for project in projects:
                    found = list(bench.project(project, named, given.mode or MODES))
                    results += found
                    print(table(found), flush=True)
                    if given.json:
                        given.json.write_text(json.dumps([asdict(result) for result in results], indent=1) + "\n")
            finally:
                if served:
                    served.close()
    if any(result.failed for result in results):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
