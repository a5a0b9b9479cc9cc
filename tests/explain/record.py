"""Records what `mlpin explain` asks of the real indexes for a case, trimmed to what the clash and its repairs need.

    env -u PIP_FIND_LINKS PIP_CONFIG_FILE=/dev/null python -m tests.explain.record [--whl URL] [NAME …]

Without a name: all cases of `tests.explain.snapshots`. PyTorch's indexes are the snapshot in ../shared/pytorch-index,
which is served meanwhile, or what is at URL. Afterwards the case is asked again on what was written, and what it says
there must be what it said before. Minutes each when nothing is cached.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

from packaging.utils import parse_wheel_filename
from packaging.version import Version

from mlpin import cli
from mlpin.candidate import Artifact, Listing, Metadata
from mlpin.errors import MlpinError
from mlpin.index.catalog import Catalog
from mlpin.requirement import normalise
from tests.explain.snapshots import CASES, CLASHES, Case, Snapshot, path

SERVE = Path(__file__).parents[3] / "shared" / "pytorch-index" / "serve.py"
OLDER = 12
"""Of a package of the clash, so many releases below the oldest that was looked at are kept."""
NEAR = 10
"""… and so many beside each that was looked at; the others are thinned out."""

Place = tuple[str, str]
"""An index as the snapshot has it (`simple`, `whl/cu126`), and a project."""


class Recorder:
    """What was asked of a catalog, in the order of the search: nothing is guessed."""

    def __init__(self, whl: str) -> None:
        self._whl = whl
        self.listings: dict[Place, Listing] = {}
        self.metadata: dict[str, Metadata] = {}
        """By the file's URL."""
        self.catalog: Catalog | None = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Everything that a catalog is asked in here is noted."""
        names = ("listing", "listing_at", "metadata", "foresee")
        listing, listing_at, metadata, foresee = (getattr(Catalog, name) for name in names)
        recorder = self

        def noted_listing(self: Catalog, name: str, pinned: str = "") -> Listing:
            assert len(self.places.searched) == 1, "one index: run with PIP_CONFIG_FILE=/dev/null"
            recorder.catalog = self
            return recorder._note("simple", listing(self, name, pinned))

        def noted_listing_at(self: Catalog, name: str, url: str) -> Listing:
            assert url.startswith(recorder._whl), url
            return recorder._note(f"whl{url.removeprefix(recorder._whl)}", listing_at(self, name, url))

        def noted_metadata(self: Catalog, name: str, version: str, artifact: Artifact) -> Metadata:
            found: Metadata = metadata(self, name, version, artifact)
            recorder.metadata[artifact.url] = found
            return found

        noted = (noted_listing, noted_listing_at, noted_metadata, lambda *_: None)
        for name, function in zip(names, noted, strict=True):
            setattr(Catalog, name, function)
        try:
            yield
        finally:
            for name, function in zip(names, (listing, listing_at, metadata, foresee), strict=True):
                setattr(Catalog, name, function)

    def _note(self, place: str, found: Listing) -> Listing:
        if found.found:
            self.listings[place, found.name] = found
        return found


# -- runs


class Said(NamedTuple):
    """What a case comes to, as far as it must stay the same."""

    code: int
    premises: Sequence[Any]
    links: Sequence[str]
    repairs: Sequence[Any]


def said(case: Case, options: Sequence[str]) -> tuple[Said, Mapping[str, Any]]:
    """Explain a case, and apply each of its repairs."""
    with tempfile.TemporaryDirectory() as folder:
        code, found = _explained(case, Path(folder), options)
    for number in range(1, len(found.get("repairs", ())) + 1):
        with tempfile.TemporaryDirectory() as folder:
            ended = _run(case, Path(folder), ["explain", "--apply", str(number), *case.options, *options])
            assert not ended, f"repair {number} cannot be applied"
    if not found.get("repairs"):
        with tempfile.TemporaryDirectory() as folder:
            _run(case, Path(folder), ["lock", *case.options, *options])
    clash = found.get("clash", ())
    edits = [[(edit["place"], edit["old"], edit["new"]) for edit in one["edits"]] for one in found.get("repairs", ())]
    result = Said(
        code,
        [(one["kind"], one["text"], one["place"]) for one in clash if one["role"] == "premise"],
        [_counted(one["text"]) for one in clash if one["role"] == "link"],
        list(zip(edits, (one["pins"] for one in found.get("repairs", ())), strict=True)),
    )
    return result, found


def _explained(case: Case, folder: Path, options: Sequence[str]) -> tuple[int, Mapping[str, Any]]:
    out = folder / "explained.json"
    code = _run(case, folder, ["explain", "--format", "json", "-o", str(out), *case.options, *options])
    return code, json.loads(out.read_text())


def _run(case: Case, folder: Path, command: Sequence[str]) -> int:
    for name, text in case.files.items():
        (folder / name).write_text(text)
    before = Path.cwd()
    os.chdir(folder)
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            return cli.main([*command, "--quiet"])
    finally:
        os.chdir(before)


def _counted(text: str) -> str:
    """A sentence without what trimming changes."""
    return re.sub(r"http\S+", "INDEX", re.sub(r"\d+ (more )?versions?", r"N \1versions", text))


# -- trimming


class Trimmed:
    """What of a recording goes into the snapshot."""

    def __init__(self, recorder: Recorder, case: Case, found: Mapping[str, Any]) -> None:
        self._recorder = recorder
        self._case = case
        self._core = _core(case, found)
        self._minor = found["target"]["python"].split(".")[1] if "target" in found else "11"
        self._extras = _extras(case, recorder.metadata.values())

    def data(self) -> Mapping[str, Any]:
        """The snapshot."""
        indexes: dict[str, dict[str, Any]] = defaultdict(dict)
        kept = {place: self._kept(place) for place in sorted(self._recorder.listings)}
        self._complete([file for files in kept.values() for file in files])
        for (place, name), files in kept.items():
            if entries := self._entries(name, files):
                indexes[place][name] = entries
        return {"indexes": indexes}

    def _kept(self, place: Place) -> list[tuple[str, Artifact]]:
        """The files of a project that are kept, with their versions, oldest first."""
        listing = self._recorder.listings[place]
        by_version = {text: list(listing.files(text, lambda _: True)) for text in listing.versions}
        asked = {text for text, files in by_version.items() if any(self._asked(file) for file in files)}
        chosen = asked
        if place[1] in self._core:
            chosen = asked | self._beside(by_version, asked)
        found = []
        for text in sorted(chosen, key=Version):
            files = by_version[text]
            found += [(text, file) for file in self._files(files, everything=place[1] in self._core)]
        return found

    def _asked(self, file: Artifact) -> bool:
        return file.url in self._recorder.metadata

    def _beside(self, by_version: Mapping[str, Sequence[Artifact]], asked: set[str]) -> set[str]:
        """The releases that a reader compares with: some on each side of what was looked at, and the newest."""
        stable = [text for text in sorted(by_version, key=Version) if not Version(text).is_prerelease]
        usable = [text for text in stable if any(_platform(file) for file in by_version[text])] or stable
        places = [at for at, text in enumerate(usable) if text in asked]
        if not places:
            return set(usable[-OLDER:])
        first = max(0, places[0] - OLDER)
        near = {at for place in places for at in range(place - NEAR, place + NEAR + 1)}
        window = [at for at in range(first, len(usable)) if at in near or at >= len(usable) - NEAR or not at % 3]
        return {usable[at] for at in window}

    def _files(self, files: Sequence[Artifact], *, everything: bool) -> list[Artifact]:
        """Of one version: what was asked for; of a package of the clash also what else fits, and a file that does not."""
        files = sorted(files, key=lambda file: file.filename)
        asked = [file for file in files if self._asked(file)]
        if not everything:
            return asked
        fitting = [file for file in files if self._fits(file)]
        # Where none fits, the reason says what there is instead.
        instead = [file for file in files if _platform(file) or not any(one.is_wheel for one in files)]
        other = [
            file for file in files if file.is_wheel and not _platform(file) and f"cp3{self._minor}-" in file.filename
        ]
        wanted = {*asked, *(fitting[:1] or instead), *other[:1]}
        return [file for file in files if file in wanted]

    def _fits(self, file: Artifact) -> bool:
        if not _platform(file):
            return False
        interpreters = {tag.interpreter for tag in parse_wheel_filename(file.filename)[3]}
        stable = "abi3" in file.filename and any(
            one.startswith("cp3") and int(one[3:]) <= int(self._minor) for one in interpreters
        )
        return bool(interpreters & {f"cp3{self._minor}", "py3"}) or stable

    def _complete(self, files: Sequence[tuple[str, Artifact]]) -> None:
        """Metadata for every version that is kept."""
        catalog = self._recorder.catalog
        assert catalog is not None
        names = {url: name for (_, name), listing in self._recorder.listings.items() for url in _urls(listing)}
        versions: dict[tuple[str, str], list[Artifact]] = defaultdict(list)
        for version, file in files:
            versions[names[file.url], version].append(file)
        missing = []
        for (name, version), some in versions.items():
            if some[0].is_wheel and not any(self._asked(file) for file in some):
                first = next((file for file in some if self._fits(file)), some[0])
                missing.append((name, version, first))

        def fetch(one: tuple[str, str, Artifact]) -> None:
            try:
                self._recorder.metadata[one[2].url] = catalog.metadata(*one)
            except MlpinError as error:
                print(f"  left out: {one[2].filename}: {error.message}", file=sys.stderr)

        print(f"  {len(missing)} further versions", file=sys.stderr)
        with ThreadPoolExecutor(12) as pool:
            list(pool.map(fetch, missing))

    def _entries(self, name: str, files: Sequence[tuple[str, Artifact]]) -> Mapping[str, Any] | None:
        """A project: its files, and by number the texts of their metadata."""
        of_version: dict[str, Metadata] = {}
        for version, file in files:
            if found := self._recorder.metadata.get(file.url):
                of_version.setdefault(version, found)
        texts: dict[str, int] = {}
        entries = []
        for version, file in files:
            found = self._recorder.metadata.get(file.url) or of_version.get(version)
            if found is None and file.is_wheel:
                continue
            entry: dict[str, Any] = {"filename": file.filename}
            entry |= {"sha256": file.sha256} if file.sha256 else {}
            entry |= {"requires-python": file.requires_python} if file.requires_python else {}
            entry |= {"yanked": file.yanked or True} if file.yanked is not None else {}
            entry |= {"size": file.size} if file.size else {}
            entry |= {"upload-time": file.upload_time} if file.upload_time else {}
            if found is not None and found.origin != "supplied":
                entry["metadata"] = texts.setdefault(self._text(name, found), len(texts))
            entries.append(entry)
        return {"files": entries, "metadata": list(texts)} if entries else None

    def _text(self, name: str, found: Metadata) -> str:
        """Core metadata with what a solve reads, for the extras that anybody asks for."""
        extras = self._extras[name]
        lines = ["Metadata-Version: 2.2", f"Name: {found.name}", f"Version: {found.version}"]
        lines += [f"Requires-Python: {found.requires_python}"] if found.requires_python else []
        lines += [f"Provides-Extra: {extra}" for extra in sorted({*found.extras} & extras)]
        for dependency in found.dependencies:
            named = set(re.findall(r"extra\s*==\s*[\"']([^\"']+)", dependency.text))
            if not named or {normalise(extra) for extra in named} & extras:
                lines.append(f"Requires-Dist: {dependency.text}")
        return "\n".join(lines) + "\n"


def _urls(listing: Listing) -> Iterator[str]:
    for version in listing.versions:
        yield from (file.url for file in listing.files(version, lambda _: True))


def _platform(file: Artifact) -> bool:
    """Whether it is a wheel for Linux on x86-64 and some Python of ours."""
    if not file.is_wheel:
        return False
    *_, tags = parse_wheel_filename(file.filename)
    return any(
        (tag.platform == "any" or ("linux" in tag.platform and tag.platform.endswith("x86_64")))
        and (re.fullmatch(r"cp3([789]|1\d)|py3|py2\.py3", tag.interpreter) or "abi3" in tag.abi)
        and not tag.abi.endswith("t")
        for tag in tags
    )


def _core(case: Case, found: Mapping[str, Any]) -> set[str]:
    """The packages that the user or the reason names."""
    names = {one["about"] for one in found.get("clash", ())}
    names |= {end for one in found.get("clash", ()) for end in one["ends"]}
    names |= {name for repair in found.get("repairs", ()) for name in repair["shown"]}
    for text in case.files.values():
        names |= {match[1] for match in re.finditer(r'^[\s"]*([a-z][\w.-]*)(?:\[\w+\])?[=<>~]', text, re.MULTILINE)}
    return {normalise(name.partition("[")[0]) for name in names} - {"tqdm"}


def _extras(case: Case, found: Any) -> Mapping[str, set[str]]:
    """By package, the extras that the case or any metadata asks for."""
    extras: dict[str, set[str]] = defaultdict(set)
    for metadata in found:
        for dependency in metadata.dependencies:
            extras[dependency.name] |= {*dependency.extras}
    for text in case.files.values():
        for match in re.finditer(r"([a-z][\w.-]*)\[([\w,-]+)\]", text):
            extras[normalise(match[1])] |= {normalise(extra) for extra in match[2].split(",")}
    return extras


# -- the command


def record(name: str, whl: str) -> bool:
    """Record a case; whether what was written says the same."""
    case = CASES[name]
    options = ["--pytorch-index-url", whl]
    print(f"{name}: on the indexes", file=sys.stderr)
    said(case, options)  # to fill the cache, many requests at a time
    recorder = Recorder(whl)
    with recorder.listening():
        before, found = said(case, options)
    data = Trimmed(recorder, case, found).data()
    CLASHES.mkdir(exist_ok=True)
    text = json.dumps(data, indent=0, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    path(name).write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, Snapshot.of(name) as server:
        after, _ = said(case, [*server.options, "--cache-dir", folder])
    counts = [sum(len(listed["files"]) for listed in projects.values()) for projects in data["indexes"].values()]
    print(f"{name}: {path(name).stat().st_size} bytes, {sum(counts)} files, exit {after.code}", file=sys.stderr)
    for field in Said._fields:
        if getattr(before, field) != getattr(after, field):
            print(f"  {field} differ:\n    {getattr(before, field)}\n    {getattr(after, field)}", file=sys.stderr)
    return before == after


@contextmanager
def served(url: str) -> Iterator[str]:
    """PyTorch's indexes at `url`, or the shared snapshot of them."""
    if url:
        yield url.rstrip("/")
        return
    command = [sys.executable, str(SERVE), "--port", "0", "--quiet", "--no-shared-triton"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().split()[0].rstrip("/")
        finally:
            server.terminate()


def main(words: Sequence[str]) -> int:
    """The exit code: 1 where a snapshot does not say what the indexes do."""
    url = ""
    if words[:1] == ["--whl"]:
        url, words = words[1], words[2:]
    with served(url) as whl:
        changed = [name for name in words or CASES if not record(name, whl)]
    return 1 if changed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
