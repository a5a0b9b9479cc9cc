"""Distributions that no index has: archives at URLs, directories on this machine, revisions of repositories.

Their metadata is read, never made: a static `[project]` table, Poetry's table, `setup.cfg`, or what the user
supplies in `[tool.mlpin.metadata]`. Nothing is built, and no code of a repository runs.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from mlpin import manifest
from mlpin.candidate import Artifact, Dependency, Metadata
from mlpin.errors import BadDistribution, IndexUnavailable, InputError, MlpinError
from mlpin.index.names import FileName, normalised_version, read
from mlpin.index.url import local_path, redacted, strip_credentials
from mlpin.manifest.model import Context
from mlpin.requirement import Declared, IndexSource, Origin, PathSource, Source, UrlSource, VcsSource
from mlpin.settings import SuppliedMetadata

if TYPE_CHECKING:
    from mlpin.index.catalog import Catalog

_METADATA_FILES = ("pyproject.toml", "setup.cfg", "PKG-INFO")
_WAY_OUT = "give its metadata in [tool.mlpin.metadata], or ask for a release of it on an index"


class Fetched(NamedTuple):
    """What a source turned out to be. `artifact` for an archive, `commit` for a repository."""

    metadata: Metadata
    artifact: Artifact | None = None
    commit: str = ""


class Sources:
    """Reads sources, each once.

    `commits` are those of the old lock that stay, by repository (URL or absolute path) and the revision asked for:
    a branch that has moved moves the lock only on request.
    """

    def __init__(
        self,
        catalog: Catalog,
        context: Context,
        git_cache: Path | None,
        supplied: tuple[SuppliedMetadata, ...] = (),
        commits: Mapping[tuple[str, str], str] | None = None,
    ) -> None:
        self._catalog = catalog
        self._context = context
        self._git_cache = git_cache
        self._supplied = supplied
        self._commits = commits or {}
        self._fetched: dict[Source, Fetched] = {}
        self._names: dict[Source, str] = {}

    def fetch(self, source: Source, hashes: tuple[str, ...], origin: Origin) -> tuple[Metadata, Artifact | None]:
        """The metadata of what is there, and the file where it is one. Raises `MlpinError` with the line."""
        found = self.fetched(source, hashes, origin)
        return found.metadata, found.artifact

    def fetched(
        self, source: Source, hashes: tuple[str, ...] = (), origin: Origin | None = None, name: str = ""
    ) -> Fetched:
        """All that is known of a source."""
        known = self._fetched.get(source)
        if known is None:
            try:
                known = self._fetched[source] = self._read(source, hashes, name or self._names.get(source, ""))
            except MlpinError as error:
                if origin is None or not origin.file:
                    raise
                hint = error.hint or (_WAY_OUT if isinstance(error, BadDistribution) else None)
                kind = IndexUnavailable if isinstance(error, IndexUnavailable) else InputError
                raise kind(str(error), where=origin.place, hint=hint) from None
        return known

    def named(self, declared: Declared) -> Declared:
        """The requirement with the name that its source turns out to have, if it says none itself."""
        if declared.source is None or isinstance(declared.source, IndexSource):
            return declared
        if declared.name:
            # Metadata that the user supplies is found by it, also where the source itself says no name.
            self._names.setdefault(declared.source, declared.name)
            return declared
        found = self.fetched(declared.source, declared.hashes, declared.origin)
        return declared._replace(name=found.metadata.name)

    def _read(self, source: Source, hashes: tuple[str, ...], name: str) -> Fetched:
        if isinstance(source, UrlSource):
            return self._archive(source.url, hashes, source.subdirectory)
        if isinstance(source, PathSource):
            path = Path(source.path)
            if path.is_dir():
                return Fetched(self._directory(path / source.subdirectory, name))
            if not path.exists():
                raise InputError(f"`{self._context.shown(path)}` does not exist")
            return self._archive(path.as_uri(), hashes, source.subdirectory)
        if isinstance(source, VcsSource):
            place = local_path(source.url)
            where = os.path.normpath(place) if place else strip_credentials(source.url)
            kept = self._commits.get((where, source.revision))
            return self._repository(source._replace(revision=kept) if kept else source, name)
        raise AssertionError(source)

    # -- archives

    def _archive(self, url: str, hashes: tuple[str, ...], subdirectory: str) -> Fetched:
        filename = unquote(urlsplit(url).path.rpartition("/")[2])
        stated = read(filename)
        if isinstance(stated, str):
            stated = self._unnamed(filename, stated)
        found = tuple(sorted((kind, value) for kind, _, value in (text.partition(":") for text in hashes)))
        artifact = Artifact(filename, url, found, tags=stated.tags, build=stated.build)
        if not artifact.sha256:
            digest = self._catalog.sha256(artifact)
            artifact = artifact._replace(hashes=tuple(sorted({*found, ("sha256", digest)})))
        if supplied := self._supplied_for(stated.project, stated.version):
            return Fetched(supplied, artifact)
        if not stated.project or subdirectory:
            from mlpin.index import files

            data = files._whole(self._catalog, artifact)  # noqa: SLF001
            return Fetched(_from_archive(data, filename, subdirectory), artifact)
        return Fetched(self._catalog.metadata(stated.project, stated.version, artifact), artifact)

    def _unnamed(self, filename: str, reason: str) -> FileName:
        if not filename.endswith((".tar.gz", ".zip", ".tgz", ".tar.bz2", ".tar.xz")):
            raise InputError(f"`{filename}` is {reason}")
        return FileName("", "")

    # -- directories

    def _directory(self, path: Path, name: str = "") -> Metadata:
        texts = {}
        for file in _METADATA_FILES:
            try:
                texts[file] = (path / file).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError):
                continue
        return self._from_texts(texts, self._context.shown(path), name, path)

    def _from_texts(self, texts: Mapping[str, str], shown: str, name: str, path: Path | None) -> Metadata:
        found: Metadata | None = None
        if "pyproject.toml" in texts:
            from mlpin.index import sdist

            found = sdist.project_metadata(texts["pyproject.toml"], f"{shown}/pyproject.toml")
            if found is not None and path is not None:
                found = self._with_sources(found, path, stated=manifest.has_sources(texts["pyproject.toml"]))
        if found is None and "PKG-INFO" in texts:
            from mlpin.index import metadata

            fields = metadata.headers(texts["PKG-INFO"])
            stated = fields.get("name", [""])[0]
            if stated:
                from mlpin.requirement import normalise

                found = metadata.parse(texts["PKG-INFO"], f"{shown}/PKG-INFO", normalise(stated), "", "source-tree")
        if supplied := self._supplied_for(name or (found.name if found else _name_in(texts)), ""):
            return supplied
        if found is None and texts:
            found = self._by_manifest(texts, path)
        if found is None:
            raise BadDistribution(
                "states its dependencies nowhere that can be read without running code", where=shown, hint=_WAY_OUT
            )
        return found

    def _with_sources(self, found: Metadata, path: Path, *, stated: bool) -> Metadata:
        """The metadata of a directory, with the places that it or its workspace states: nothing else may stand in.

        Raises `InputError` where it states places that cannot be read.
        """
        try:
            read = manifest.read(path / "pyproject.toml", self._context)
        except InputError:
            if stated:
                raise
            return found
        return _as_metadata(found.name, found.version, found.requires_python, read.requirements, read.extras)

    def _by_manifest(self, texts: Mapping[str, str], path: Path | None) -> Metadata | None:
        """Metadata from Poetry's tables or setup.cfg, through the manifest readers."""
        import tempfile

        with tempfile.TemporaryDirectory() as scratch:
            folder = path or Path(scratch)
            for file in ("pyproject.toml", "setup.cfg"):
                if file not in texts:
                    continue
                if path is None:
                    (folder / file).write_text(texts[file], encoding="utf-8")
                try:
                    found = manifest.read(folder / file, self._context)
                except MlpinError:
                    continue
                if found.project:
                    return _as_metadata(
                        found.project, found.version, found.requires_python, found.requirements, found.extras
                    )
        return None

    def _supplied_for(self, name: str, version: str) -> Metadata | None:
        for supplied in self._supplied:
            if name and supplied.name == name and (not version or supplied.version in {"", version}):
                from mlpin.index.metadata import dependencies

                return Metadata(
                    name,
                    version or supplied.version or "0",
                    supplied.requires_python,
                    dependencies(list(supplied.requires_dist), name),
                    supplied.provides_extra,
                    "supplied",
                )
        return None

    # -- repositories

    def _repository(self, source: VcsSource, name: str) -> Fetched:
        shown = redacted(source.url)
        if source.vcs != "git":
            raise InputError(
                f"`{source.vcs}` repositories cannot be read yet, only git ones",
                hint="mirror it to git, or use a release",
            )
        return self._from_git(source, name, shown)

    def _from_git(self, source: VcsSource, name: str, shown: str) -> Fetched:
        from mlpin.git import Git

        git = Git(self._git_cache, self._context.environ)
        with git.commit(source, offline=self._catalog.offline, shown=shown, tell=self._catalog.tell) as commit:
            texts = {file: text for file in _METADATA_FILES if (text := commit.text(file)) is not None}
            return Fetched(self._from_texts(texts, f"{shown}@{commit.id[:12]}", name, None), None, commit.id)


def _name_in(texts: Mapping[str, str]) -> str:
    from mlpin.requirement import normalise

    for text in texts.values():
        if match := re.search(r"""^\s*name\s*=\s*["']?([A-Za-z0-9._-]+)""", text, re.MULTILINE):
            return normalise(match[1])
    return ""


def _from_archive(data: bytes, filename: str, subdirectory: str) -> Metadata:
    import io
    import tarfile
    import zipfile

    from mlpin.index import sdist

    path = re.compile(rf"[^/]+/{re.escape(subdirectory.strip('/') + '/') if subdirectory else ''}pyproject\.toml")
    text = ""
    try:
        if filename.endswith(".zip"):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                for info in archive.infolist():
                    if path.fullmatch(info.filename) and info.file_size <= sdist.MAX_MEMBER:
                        text = archive.read(info).decode("utf-8", "replace")
        else:
            with tarfile.open(fileobj=io.BytesIO(data)) as tar:
                for member in tar:
                    if path.fullmatch(member.name) and member.isfile() and member.size <= sdist.MAX_MEMBER:
                        file = tar.extractfile(member)
                        text = file.read().decode("utf-8", "replace") if file else ""
    except (tarfile.TarError, zipfile.BadZipFile, OSError, EOFError, ValueError) as error:
        raise BadDistribution(f"not a readable archive: {error}", where=filename) from None
    found = sdist.project_metadata(text, filename) if text else None
    if found is None:
        raise BadDistribution("states its dependencies nowhere that can be read without running code", where=filename)
    return found


def _as_metadata(
    name: str,
    version: str,
    requires_python: str,
    requirements: tuple[Declared, ...],
    extras: Mapping[str, tuple[Declared, ...]],
) -> Metadata:
    def dependency(line: Declared, extra: str) -> Dependency:
        return Dependency(
            line.name,
            line.extras,
            line.specifier,
            "",
            line.marker,
            extra,
            text=line.origin.text or line.name,
            source=None if isinstance(line.source, IndexSource) else line.source,
        )

    dependencies = [dependency(line, "") for line in requirements]
    dependencies += [dependency(line, extra) for extra, lines in extras.items() for line in lines]
    return Metadata(
        name,
        normalised_version(version) or "0",
        requires_python,
        tuple(dependencies),
        tuple(sorted(extras)),
        "source-tree",
    )
