"""A snapshot: what one environment and its host are, as a value and as JSON (`report/snapshot.schema.json`).

Knows no secret, no path, no user and no time, so that the same state of a machine gives the same bytes. How snapshots
are compared is `check.fleet`'s.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from mlpin.errors import InputError
from mlpin.fields import Fields
from mlpin.machine import Machine
from mlpin.nvml import Gpu
from mlpin.requirement import normalise

if TYPE_CHECKING:
    from mlpin.stack.distributions import Direct, Distribution, Environment, Recorded

SCHEMA = "mlpin-snapshot/1"
LARGEST = 16 * 1024 * 1024
"""In bytes: a thousand times what a snapshot takes."""

_SCHEMA = re.compile(r"mlpin-snapshot/(\d{1,9})")
_SOURCE = re.compile(r"(?:commit|archive) [0-9A-Za-z:_-]{1,200}|archive|directory|editable")
_PYTHON = re.compile(r"[0-9]{1,3}\.[0-9]{1,3}[0-9A-Za-z.+_-]{0,30}")
_LONGEST = 300
_NAMES = "one line of at most 300 characters, without brackets and commas"
# What installers write for themselves, or differently on every machine (PEP 376, PEP 610; uv's two beside them).
_INSTALLERS = {
    *("INSTALLER", "REQUESTED", "RECORD", "RECORD.jws", "RECORD.p7s", "direct_url.json", "provenance_url.json"),
    *("uv_cache.json", "uv_build.json"),
}
_SCRIPTS = {"bin", "Scripts"}


def is_name(text: str) -> bool:
    """Whether a node can be called that: the characters that short forms of many names are made with are none."""
    return _is_word(text) and text == text.strip() and not set(text) & set("[],")


class Installed(NamedTuple):
    """A Python distribution that is installed."""

    name: str
    """Normalised."""
    version: str
    source: str = ""
    """Where it is not from an index: `commit …`, `archive sha256:…`, `archive`, `directory` or `editable`."""
    files: str = ""
    """A digest of what its RECORD says of the files that came with it; empty where it has none, or was built there."""
    installer: str = ""
    """`pip`, `uv`, `conda`; empty where nobody says."""
    system: bool = False
    """It belongs to the interpreter that a virtual environment was made from, or to the operating system."""
    tool: bool = False
    """It is pip, mlpin or another tool, or one of these needs it."""


class Conda(NamedTuple):
    """A conda package that is installed."""

    name: str
    version: str
    build: str = ""


class Contents(NamedTuple):
    """What an environment holds."""

    python: str
    """`3.11.4` or `3.11`; empty where it is not known."""
    packages: tuple[Installed, ...]
    """Sorted by name, each name once."""
    conda: tuple[Conda, ...] = ()
    """Sorted by name, each name once."""


class Snapshot(NamedTuple):
    """One node: its name, its host and its environment."""

    name: str
    host: Machine
    """Without notes and overrides, which are of a moment."""
    environment: Contents | None
    """None: there was none."""
    file: str = ""
    """As messages name the file that it was read from."""

    @property
    def python(self) -> str:
        """The environment's Python, else the host's."""
        return (self.environment.python if self.environment else "") or self.host.python


_Package = TypeVar("_Package", Installed, Conda)


# Taking one


def taken(name: str, machine: Machine, environment: Environment | None) -> Snapshot:
    """The snapshot of a machine and what is installed there. Raises `InputError` where it cannot be called `name`."""
    from mlpin.stack.gathered import printable

    if not is_name(name):
        raise InputError(f"`{printable(name)}` cannot be the name of a node: {_NAMES}", hint="give another --name")
    gpus = tuple(gpu._replace(name=printable(gpu.name)) for gpu in machine.gpus)
    host = machine._replace(cpu=printable(machine.cpu), gpus=gpus, notes=(), overrides=())
    contents = None
    if environment is not None:
        packages = {one.name: one for one in map(_taken, reversed(environment.packages))}
        conda = {one.name: Conda(one.name, one.version, one.build) for one in environment.conda}
        contents = Contents(
            environment.python,
            tuple(packages[key] for key in sorted(packages)),
            tuple(conda[key] for key in sorted(conda)),
        )
    return Snapshot(name, host, contents)


def as_json(snapshot: Snapshot) -> str:
    """The snapshot as JSON: the same snapshot, the same bytes. What is empty of a package is left out."""
    host = snapshot.host._asdict() | {"gpus": [gpu._asdict() for gpu in snapshot.host.gpus]}
    environment = snapshot.environment
    value = {
        "schema": SCHEMA,
        "name": snapshot.name,
        "host": {key: host[key] for key in host if key not in {"notes", "overrides"}},
        "environment": environment
        and {
            "python": environment.python,
            "packages": [_filled(one) for one in environment.packages],
            "conda": [_filled(one) for one in environment.conda],
        },
    }
    return "\n".join(_laid_out(value, "")) + "\n"


def _laid_out(value: Mapping[str, Any], indent: str) -> Iterator[str]:
    """JSON with a line for each field and each package, so that `diff` shows what differs."""
    fields = len(value)
    yield "{"
    for number, (key, one) in enumerate(value.items(), 1):
        if isinstance(one, dict):
            text = "\n".join(_laid_out(one, indent + "  "))
        elif isinstance(one, list) and one:
            lines = (f"{indent}    {json.dumps(item, ensure_ascii=False)}" for item in one)
            text = "[\n" + ",\n".join(lines) + f"\n{indent}  ]"
        else:
            text = json.dumps(one, ensure_ascii=False)
        yield f"{indent}  {json.dumps(key)}: {text}{',' if number < fields else ''}"
    yield indent + "}"


def _filled(package: Installed | Conda) -> dict[str, Any]:
    return {key: value for key, value in package._asdict().items() if value}


def _taken(found: Distribution) -> Installed:
    source = _source(found.direct)
    # What was built on the machine itself has files that name its folders.
    files = _files(found) if not source or source.startswith("archive") else ""
    return Installed(found.name, found.version, source, files, found.installer, found.system, found.tool)


def _source(direct: Direct | None) -> str:
    """Where a distribution came from, without the place: that names servers, folders and users."""
    if direct is None:
        return ""
    if direct.commit:
        return f"commit {direct.commit}"
    if direct.directory:
        return "editable" if direct.editable else "directory"
    stated = direct.hash.replace("=", ":", 1)
    return f"archive {stated}" if _SOURCE.fullmatch(f"archive {stated}") else "archive"


def _files(found: Distribution) -> str:
    """A digest of the files that came with a distribution: two that were installed from one wheel have the same."""
    lines = sorted({f"{one.path}\0{one.hash}" for one in found.record() or () if _came_along(one)})
    if not lines:
        return ""
    import hashlib

    return f"sha256:{hashlib.sha256(chr(10).join(lines).encode('utf-8', 'replace')).hexdigest()}"


def _came_along(one: Recorded) -> bool:
    """Whether a line of RECORD is about a file of the wheel, not one that the installer made on this machine."""
    folder, _, name = one.path.rpartition("/")
    if not one.hash or one.path.startswith("/") or name.endswith(".pyc"):
        return False
    if folder.startswith("../") and folder.rpartition("/")[2] in _SCRIPTS:
        return False
    return not (folder.endswith(".dist-info") and name in _INSTALLERS)


def as_environment(contents: Contents) -> Environment:
    """The environment as far as the snapshot has it: without folders and files, so that nothing of it can be read."""
    from mlpin.stack.distributions import TOOLS, Distribution, Environment
    from mlpin.stack.model import Pinned

    nowhere = Path()
    packages = tuple(
        Distribution(
            one.name,
            one.version,
            nowhere,
            nowhere,
            one.installer,
            _direct(one),
            (),
            nowhere,
            one.system,
            one.tool or one.name in TOOLS,
        )
        for one in contents.packages
    )
    conda = tuple(Pinned(one.name, one.version, 0, "conda", one.build) for one in contents.conda)
    return Environment("", contents.python, "", packages, conda, ())


def _direct(one: Installed) -> Direct | None:
    from mlpin.stack.distributions import Direct

    kind, _, stated = one.source.partition(" ")
    if kind == "commit":
        return Direct("", stated)
    if kind == "archive":  # it may have been a file of the node's own
        return Direct("file:///archive", hash=stated.replace(":", "=", 1))
    return Direct("", editable=kind == "editable", directory=True) if kind else None


# Reading one


def read(path: Path, shown: str) -> Snapshot:
    """The snapshot in a file. Raises `InputError` where it is none that this mlpin reads."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=shown) from None
    except UnicodeDecodeError:
        raise InputError("is not text in UTF-8", where=shown) from None
    if len(data) > LARGEST:
        raise InputError(f"is larger than {LARGEST >> 20} MiB, so it is no snapshot", where=shown)
    return parsed(text, shown)


def parsed(text: str, shown: str) -> Snapshot:
    """The snapshot that a text states. Raises `InputError`."""
    from mlpin.stack import document

    data = document.json(text, shown)
    if not isinstance(data, dict):
        raise InputError("is not a snapshot of mlpin", where=shown)
    root = Fields(data, shown)
    _check_schema(data.get("schema"), shown)
    name = root.string("name") or ""
    if not is_name(name):
        raise root.error("name", f"cannot be the name of a node: {_NAMES}", hint="`mlpin snapshot --name NAME` sets it")
    environment = root.table("environment")
    contents = None
    if root.data.get("environment") is not None:
        packages = _packages(environment, "packages", _known_installed, _installed)
        conda = _packages(environment, "conda", _known_conda, _conda)
        python = _word(environment, "python")
        if python and not _PYTHON.fullmatch(python):
            raise environment.error("python", "is none: it is written like 3.11.9")
        contents = Contents(python, packages, conda)
    return Snapshot(name, _machine(root.table("host")), contents, shown)


def _check_schema(schema: object, shown: str) -> None:
    if schema == SCHEMA:
        return
    found = _SCHEMA.fullmatch(schema) if isinstance(schema, str) else None
    if found is None:
        raise InputError("is not a snapshot of mlpin", where=shown, hint="`mlpin snapshot` writes one")
    newer = int(found[1]) > int(SCHEMA.rpartition("/")[2])
    raise InputError(
        f"was written by {'a newer' if newer else 'an older'} mlpin: it is {found[0]}, and this one reads {SCHEMA}",
        where=shown,
        hint="update mlpin here" if newer else "take the snapshot again with today's mlpin",
    )


def _machine(host: Fields) -> Machine:
    return Machine(
        python=_word(host, "python"),
        platform=_platform(host),
        glibc=_word(host, "glibc"),
        libc=_word(host, "libc"),
        cpu=_word(host, "cpu"),
        cpu_features=_words(host, "cpu_features"),
        driver=_word(host, "driver"),
        cuda=_word(host, "cuda"),
        gpus=tuple(map(_gpu, host.tables("gpus"))),
        amd=_words(host, "amd"),
        container=bool(host.boolean("container")),
        notes=(),
        overrides=(),
    )


def _platform(host: Fields) -> str:
    from mlpin.target import parse_platform

    name = _word(host, "platform")
    try:
        if name:
            parse_platform(name)
    except InputError as error:
        raise host.error("platform", f"is none: {error.message}", hint=error.hint) from None
    return name


def _gpu(gpu: Fields) -> Gpu:
    capability, memory = _word(gpu, "capability"), gpu.data.get("memory")
    if capability and not re.fullmatch(r"[0-9]{1,3}\.[0-9]{1,3}", capability):
        raise gpu.error("capability", "is none: it is written like 9.0")
    return Gpu(_word(gpu, "name"), capability, memory if isinstance(memory, int) else None)


def _installed(fields: Fields) -> Installed:
    source = _word(fields, "source")
    if source and not _SOURCE.fullmatch(source):
        raise fields.error("source", "is none that mlpin knows")
    return Installed(
        normalise(_one(fields, "name")),
        _one(fields, "version"),
        source,
        _word(fields, "files"),
        _word(fields, "installer"),
        bool(fields.boolean("system")),
        bool(fields.boolean("tool")),
    )


def _conda(fields: Fields) -> Conda:
    return Conda(_one(fields, "name"), _one(fields, "version"), _word(fields, "build"))


# Of a thousand nodes most have most packages alike: each is looked at once, and kept once.
_KNOWN = 1 << 16


@lru_cache(_KNOWN)
def _known_installed(items: tuple[tuple[str, Any], ...]) -> Installed:
    return _installed(Fields(dict(items), ""))


@lru_cache(_KNOWN)
def _known_conda(items: tuple[tuple[str, Any], ...]) -> Conda:
    return _conda(Fields(dict(items), ""))


def _packages(
    environment: Fields,
    key: str,
    known: Callable[[tuple[tuple[str, Any], ...]], _Package],
    made: Callable[[Fields], _Package],
) -> tuple[_Package, ...]:
    """Sorted, and of equal names the first one. Raises `InputError` that says where what is wrong."""
    try:
        rows = [known(tuple(row.items())) for row in environment.items(key)]
    except (InputError, TypeError, AttributeError):
        rows = [made(row) for row in environment.tables(key)]
    named = {one.name: one for one in reversed(rows)}
    return tuple(named[name] for name in sorted(named))


def _one(fields: Fields, key: str) -> str:
    """The text at `key`, which must be one word."""
    text = _word(fields, key)
    if not text or " " in text:
        raise fields.error(key, "must be one word" if text else "is missing")
    return text


def _word(fields: Fields, key: str) -> str:
    """The text at `key`, fit for a line of a report; empty where there is none."""
    text = fields.string(key) or ""
    if text and not _is_word(text):
        raise fields.error(key, f"must be one line of at most {_LONGEST} characters")
    return text


def _words(fields: Fields, key: str) -> tuple[str, ...]:
    words = fields.strings(key) or ()
    if not all(map(_is_word, words)):
        raise fields.error(key, f"must be lines of at most {_LONGEST} characters")
    return words


def _is_word(text: str) -> bool:
    return 0 < len(text) <= _LONGEST and text.isprintable()
