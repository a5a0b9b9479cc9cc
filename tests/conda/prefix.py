"""Real environments of conda's: packages with a Python that runs, and rattler's installer to link them."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from tests.conda.channels import Package, package

VERSION = ".".join(map(str, sys.version_info[:3]))
HERE = ".".join(VERSION.split(".")[:2])
"""The Python that runs the tests: packages have it inside, and locks are for it."""


def subdir() -> str:
    """This machine, as conda calls it."""
    from rattler import Subdir

    return str(Subdir.current())


# -- what channels have


def python(build: str = "0_cpython", *, kind: str = "conda") -> Package:
    """The Python that runs the tests, as a venv with copies has it: the program is in the package, the standard
    library stays where it is."""
    program = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    files: dict[str, str | bytes] = {
        f"bin/python{HERE}": program.read_bytes(),
        "bin/python": f'#!/bin/sh\nexec "${{0%/*}}/python{HERE}" "$@"\n',
        "pyvenv.cfg": f"home = {program.parent}\ninclude-system-site-packages = false\nversion = {VERSION}\n",
        f"lib/python{HERE}/site-packages/README.txt": "Distributions go here.\n",
    }
    return package("python", VERSION, build, files=files, subdir=subdir(), kind=kind, depends=["tinylib >=1"])


def carrier(
    name: str,
    version: str,
    build: str = "py_0",
    *,
    depends: Iterable[str] = (),
    requires: Iterable[str] = (),
    script: str = "",
    kind: str = "conda",
    constrains: Iterable[str] = (),
    files: Mapping[str, str | bytes] | None = None,
) -> Package:
    """A package of no platform that carries the distribution of its name, as conda-build makes them of `pip install`.

    `script` is a command that prints the version.
    """
    module = name.replace("-", "_")
    text = f'__version__ = "{version}"\nBUILD = "{build}"\n\n\ndef main():\n    print(__version__)\n'
    lines = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"]
    lines += [f"Requires-Dist: {line}\n" for line in requires]
    inside = {f"{module}/__init__.py": text, **(files or {})}
    inside |= {
        f"{module}-{version}.dist-info/METADATA": "".join(lines),
        f"{module}-{version}.dist-info/INSTALLER": "conda\n",
        f"{module}-{version}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    recorded = "".join(f"{path},{_digest(data)},{len(data)}\n" for path, data in inside.items())
    inside[f"{module}-{version}.dist-info/RECORD"] = f"{recorded}{module}-{version}.dist-info/RECORD,,\n"
    return package(
        name,
        version,
        build,
        noarch="python",
        depends=["python", *depends],
        files={f"site-packages/{path}": data for path, data in inside.items()},
        kind=kind,
        constrains=list(constrains),
        entry_points=[f"{script} = {module}:main"] if script else [],
    )


def pip() -> Package:
    """The pip that is installed here."""
    found = distribution("pip")
    files = {
        f"site-packages/{path}": path.read_binary()
        for path in found.files or ()
        if ".." not in path.parts and path.suffix != ".pyc"
    }
    files[f"site-packages/pip-{found.version}.dist-info/INSTALLER"] = b"conda\n"
    return package("pip", found.version, "pyh_0", noarch="python", depends=["python >=3.9"], files=files)


def _digest(data: str | bytes) -> str:
    raw = data.encode() if isinstance(data, str) else data
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(raw).digest()).rstrip(b"=").decode()


# -- what is made of them


class Prefix(NamedTuple):
    """An environment of conda's at `path`; `environ` is what its programs see."""

    path: Path
    environ: Mapping[str, str]

    @property
    def python(self) -> Path:
        return self.path / "bin" / "python"

    def link(self, lock: Path) -> None:
        """Makes it what an explicit file says, by rattler's installer: what conda's clients do with `--file`."""
        from rattler.explicit_environment import ExplicitEnvironmentSpec

        # conda takes paths, from where it is run; rattler takes none.
        lines = [line if line[:1] not in "./" else _as_url(line, lock.parent) for line in lock.read_text().splitlines()]
        spec = ExplicitEnvironmentSpec.from_str("\n".join(lines))
        assert str(spec.platform) == subdir()
        asyncio.run(self._link([entry.url for entry in spec.packages]))

    async def _link(self, lines: list[str]) -> None:
        from rattler import Client, RepoDataRecord
        from rattler.package_streaming import download_to_path

        records = []
        for line in lines:
            url, _, digest = line.partition("#")
            file = Path(unquote(urlsplit(url).path))
            if not url.startswith("file:"):
                file = self.path.with_name("seen") / file.name
                file.parent.mkdir(exist_ok=True)
                await download_to_path(Client(), url, file)
            record = await RepoDataRecord.from_package_archive(file)
            # The hash that the line has is the one that counts: rattler fetches the file again, and compares.
            record.url, record.md5, record.sha256 = url, bytes.fromhex(digest), None
            records.append(record)
        await self._install(records)

    def link_pixi(self, lock: Path) -> list[str]:
        """Makes it what the conda part of a `pixi.lock` says; returns where its PyPI part is."""
        from rattler import LockFile

        file = LockFile.from_path(lock)
        environment = file.default_environment()
        assert environment is not None
        (platform,) = file.platforms()
        assert platform.name == subdir()
        asyncio.run(self._install(environment.conda_repodata_records_for_platform(platform) or []))
        return [one.location for one in environment.pypi_packages_for_platform(platform) or []]

    async def _install(self, records: list[Any]) -> None:
        from rattler.install import install

        await install(records, self.path, cache_dir=self.path.with_name("cached"), show_progress=False)

    def run(self, *arguments: str | Path, cwd: Path | None = None) -> str:
        """What its Python prints; it must do."""
        done = subprocess.run(
            [self.python, *arguments], capture_output=True, text=True, check=False, env=self.environ, cwd=cwd
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def pip(self, *arguments: str | Path, cwd: Path | None = None) -> str:
        """Its own pip, the one that a package of conda's brings."""
        return self.run("-m", "pip", "--disable-pip-version-check", "--no-input", *arguments, cwd=cwd)

    def distributions(self) -> dict[str, tuple[str, str]]:
        """Version and installer by name, as its own Python sees them."""
        code = (
            "import importlib.metadata as m, json\n"
            "print(json.dumps({d.name: (d.version, (d.read_text('INSTALLER') or '').strip()) for d in m.distributions()}))"
        )
        return {name: (version, by) for name, (version, by) in json.loads(self.run("-c", code)).items()}

    def conda(self) -> dict[str, str]:
        """The build of each package that conda knows to be there."""
        records = [json.loads(path.read_text()) for path in (self.path / "conda-meta").glob("*.json")]
        return {record["name"]: record["build"] for record in records}


def _as_url(line: str, folder: Path) -> str:
    path, _, digest = line.partition("#")
    return f"{(folder / path).resolve().as_uri()}#{digest}"
