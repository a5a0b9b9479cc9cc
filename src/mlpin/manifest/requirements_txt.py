"""Requirements files, with everything that pip accepts in them.

`Collector` reads files and single lines into requirements, constraints, settings and notes: each line
becomes one of them, or an `InputError` that names file and line. Formats that embed such lines
(`environment.yml`) use it too. pip's documentation of the format is the reference.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from mlpin.errors import InputError, MlpinError
from mlpin.manifest import links, pep508, pip_lines
from mlpin.manifest.model import Context, Manifest, Note
from mlpin.manifest.source_text import bytes_of, decoded, redacted
from mlpin.requirement import Declared, Origin, PathSource, normalise
from mlpin.settings import IndexSetting, Settings

_URL = re.compile(r"(https?|file):", re.IGNORECASE)
_DIRECT = re.compile(rf"{pep508.NAME}\s*(\[[^\]]*\])?\s*@\s*\S")
_URL_MARKER = re.compile(r"\s;|;\s")
_BUILD_OPTIONS = ("--config-settings", "--global-option", "--install-option", "--build-option")


def read(path: Path, context: Context) -> Manifest:
    """The requirements file at `path`; `InputError` where it, or one that it names, cannot be read."""
    collector = Collector(path, context)
    collector.file(path)
    return Manifest(
        path=path,
        kind="requirements",
        requirements=tuple(collector.requirements),
        constraints=tuple(collector.constraints),
        layers=collector.layers(),
        notes=tuple(collector.notes),
        inputs=tuple(collector.inputs),
    )


class Collector:
    """What requirements files say, line by line. `top` is the file that the user named."""

    def __init__(self, top: Path, context: Context, *, bases: Sequence[Path] | None = None) -> None:
        self.context = context
        self.top = top
        self.bases = bases
        """Where relative paths are looked for; None: where pip would be run, then beside the file."""
        self.requirements: list[Declared] = []
        self.constraints: list[Declared] = []
        self.notes: list[Note] = []
        self.inputs: list[Path] = []
        self.settings = Settings(layer=context.shown(top))
        self._open: list[str] = []
        self._done: set[tuple[str, bool]] = set()

    def layers(self) -> tuple[Settings, ...]:
        """The options of the files as one layer of settings; none where there are no options."""
        return () if self.settings == Settings(layer=self.settings.layer) else (self.settings,)

    def file(self, path: Path, *, constraint: bool = False) -> None:
        """Reads the file at `path`, and those that it names."""
        path = Path(os.path.normpath(path.absolute()))
        data = bytes_of(path, self.context)
        if path not in self.inputs:
            self.inputs.append(path)
        shown = self.context.shown(path)
        content = decoded(data, shown, declared_coding=True)
        self._content(content, str(path), shown, path.parent, constraint)

    def _content(self, content: str, key: str, shown: str, folder: Path | None, constraint: bool) -> None:
        self._done.add((key, constraint))
        self._open.append(key)
        for line in pip_lines.lines(content, self.context.environ):
            self.line(line, Origin("manifest", shown, line.number, line.shown), folder, constraint=constraint)
        self._open.pop()

    def line(self, line: pip_lines.Line, origin: Origin, folder: Path | None, *, constraint: bool = False) -> None:
        """Takes in one line. `folder` is the directory of its file, None for one that was fetched."""
        try:
            parts = pip_lines.parts(line.text)
        except ValueError as error:
            raise InputError(f"`{origin.text}` cannot be read: {redacted(str(error))}", where=origin.place) from None
        if parts.extra:
            words = redacted(" ".join(parts.extra))
            message = f"`{words}` stands after an option, where pip does not read it: give it a line of its own"
            self._note(message, origin)
        if parts.requirement or parts.editable:
            self._requirement(parts, origin, folder, constraint)
            return
        for option in parts.options:
            if option.name in ("--requirement", "--constraint"):
                self._include(option.value, origin, folder, option.name == "--constraint")
            else:
                self._option(option, origin, folder)

    def _note(self, message: str, origin: Origin) -> None:
        self.notes.append(Note(message, origin))

    # Requirements

    def _requirement(self, parts: pip_lines.Parts, origin: Origin, folder: Path | None, constraint: bool) -> None:
        hashes: list[str] = []
        for option in parts.options:
            if option.name == "--hash":
                hashes.append(_strong_hash(option.value, origin))
            elif option.name in _BUILD_OPTIONS:
                self._note(f"`{option.name}` has no effect: nothing is built while locking", origin)
            else:
                self._note(f"`{option.name}` has no effect on the line of a requirement", origin)
        editable = bool(parts.editable)
        found = self._parsed(parts.editable or parts.requirement, origin, folder, editable)
        if hashes:
            found = found._replace(hashes=tuple(dict.fromkeys((*found.hashes, *hashes))))
        if not constraint:
            self.requirements.append(found)
            return
        if editable:
            raise InputError("an editable requirement cannot be a constraint", where=origin.place)
        if not found.name:
            raise InputError(
                "a constraint needs a name", where=origin.place, hint="write it as `name @ URL`, or require it instead"
            )
        if found.extras:
            self._note("a constraint has no extras: they are left out", origin)
            found = found._replace(extras=())
        self.constraints.append(found)

    def _parsed(self, text: str, origin: Origin, folder: Path | None, editable: bool) -> Declared:
        bases = self._bases(folder)
        text = text.rstrip().removesuffix(";").rstrip() if text.rstrip().endswith(";") else text
        head, marker = text, ""
        if not links.is_url(text):
            if _DIRECT.match(text):
                return self._direct(text, origin, bases, editable)
            head, _, marker = text.partition(";")
            bare = re.sub(r"\[[^\]]*\]\s*$", "", head).strip()
            if not editable and not links.looks_like_path(bare):
                return pep508.declared(text, origin, bases=bases)
        else:
            end = _URL_MARKER.search(text)
            if end:
                head, marker = text[: end.start()], text[end.end() :]
        try:
            target = links.link(head, bases=bases, editable=editable)
        except ValueError as error:
            raise InputError(f"`{origin.text}` cannot be used: {error}", where=origin.place) from None
        for part in target.ignored:
            self._note(f"`#{redacted(part)}` says nothing that mlpin reads; a revision is written `@revision`", origin)
        return Declared(
            name=target.name,
            origin=origin,
            extras=target.extras,
            marker=pep508.marker(marker, origin),
            source=target.source,
            hashes=target.hashes,
        )

    def _direct(self, text: str, origin: Origin, bases: Sequence[Path], editable: bool) -> Declared:
        found = pep508.declared(text, origin, bases=bases)
        if editable and isinstance(found.source, PathSource):
            return found._replace(source=found.source._replace(editable=True))
        return found

    def _bases(self, folder: Path | None) -> tuple[Path, ...]:
        """Pip looks in the working directory; most authors mean the file's own. Both are tried."""
        if self.bases is not None:
            return tuple(self.bases)
        return (self.context.root,) if folder is None else (self.context.root, folder)

    # Options

    def _option(self, option: pip_lines.Option, origin: Origin, folder: Path | None) -> None:
        name, value, now = option.name, option.value, self.settings
        if name == "--index-url":
            if now.index_url is not None:
                self._note(f"replaces the `--index-url` of {now.index_url.origin}", origin)
            index = IndexSetting(self._address(value, origin, folder), default=True, origin=origin.place)
            self.settings = now._replace(index_url=index)
        elif name == "--extra-index-url":
            index = IndexSetting(self._address(value, origin, folder), origin=origin.place)
            self.settings = now._replace(extra_indexes=(*(now.extra_indexes or ()), index))
        elif name == "--find-links":
            index = IndexSetting(self._address(value, origin, folder), format="flat", origin=origin.place)
            self.settings = now._replace(find_links=(*(now.find_links or ()), index))
        elif name == "--no-index":
            self.settings = now._replace(no_index=True)
        elif name == "--pre":
            self.settings = now._replace(prerelease="allow")
        elif name in ("--all-releases", "--only-final"):
            self._releases(name, value, origin)
        elif name in ("--only-binary", "--no-binary"):
            self._formats(name, value)
        elif name == "--trusted-host":
            self.settings = now._replace(trusted_hosts=(*(now.trusted_hosts or ()), value))
        elif name == "--hash":
            self._note("`--hash` stands without a requirement, so it has no effect", origin)
        elif name == "--prefer-binary":
            self._note("`--prefer-binary` has no effect: mlpin has its own rule for wheels and source archives", origin)
        elif name == "--require-hashes":
            self._note("`--require-hashes` has no effect: every lock of mlpin has hashes", origin)
        elif name == "--use-feature":
            self._note(f"`--use-feature {value}` has no effect: it is about pip itself", origin)
        else:
            self._note(f"`{name}` has no effect here", origin)

    def _releases(self, name: str, value: str, origin: Origin) -> None:
        for part in value.split(","):
            if part == ":all:":
                policy = "allow" if name == "--all-releases" else "disallow"
                self.settings = self.settings._replace(prerelease=policy)
            elif part == ":none:":
                self.settings = self.settings._replace(prerelease=None)
            else:
                self._note(f"`{name}` for the one package `{part}` has no effect yet", origin)

    def _formats(self, name: str, value: str) -> None:
        """`--only-binary` and `--no-binary`, which exclude each other name by name, as pip has it."""
        here, other = ("only_binary", "no_binary") if name == "--only-binary" else ("no_binary", "only_binary")
        target: list[str] | None = _said(self.settings, here)
        against: list[str] | None = _said(self.settings, other)
        words = [word.strip() for word in value.split(",") if word.strip()]
        target = target or []
        while ":all:" in words:
            target, against = [":all:"], None if against is None else [":none:"]
            words = words[words.index(":all:") + 1 :]
            if ":none:" not in words:
                words = []
        for word in words:
            if word == ":none:":
                target = [":none:"]
                continue
            package = normalise(word)
            target = [*(entry for entry in target if entry not in (package, ":none:")), package]
            if against is not None:
                against = [entry for entry in against if entry != package] or [":none:"]
        said = {here: tuple(target), other: None if against is None else tuple(against)}
        self.settings = self.settings._replace(only_binary=said["only_binary"], no_binary=said["no_binary"])

    def _address(self, value: str, origin: Origin, folder: Path | None) -> str:
        """A URL as it is; a path as a `file:` URL, beside the file where it exists there."""
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", value) and not value.lower().startswith("file:"):
            return value
        if value.lower().startswith("file:///") or value.lower().startswith("file://localhost/"):
            return value
        text = value[len("file:") :] if value.lower().startswith("file:") else value
        roots = [root for root in (folder, self.context.root) if root is not None]
        try:
            paths = [Path(os.path.normpath(root.absolute() / text)) for root in roots]
            return next((path for path in paths if path.exists()), paths[0]).as_uri()
        except (OSError, ValueError):
            raise InputError(f"`{redacted(value)}` is neither a URL nor a path", where=origin.place) from None

    # Other files

    def _include(self, value: str, origin: Origin, folder: Path | None, constraint: bool) -> None:
        if folder is None:
            from urllib.parse import urljoin

            value = urljoin(self._open[-1], value)
            if value.lower().startswith("file:"):
                raise InputError("a fetched file cannot name a file on this machine", where=origin.place)
        if _URL.match(value) and not value.lower().startswith("file:"):
            key = value
        else:
            try:
                name = links.file_path(value) if value.lower().startswith("file:") else value
                key = os.path.normpath((folder or self.context.root).absolute() / name)
            except ValueError as error:
                raise InputError(f"`{origin.text}` cannot be read: {error}", where=origin.place) from None
        if key in self._open:
            self._note("this file is being read already: the line adds nothing", origin)
            return
        if (key, constraint) in self._done:
            self._note("this file was read already: the line adds nothing", origin)
            return
        if len(self._open) > 100:
            raise InputError("files name one another more than 100 deep", where=origin.place)
        if key == value and _URL.match(value):
            self._content(self._fetched(value, origin), key, redacted(value), None, constraint)
            return
        path = Path(key)
        try:
            found = path.is_file()
        except (OSError, ValueError):
            found = False
        if not found and not path.exists():
            shown = self.context.shown(path)
            raise InputError(
                f"names `{shown}`, and there is no such file",
                where=origin.place,
                hint="a path in a requirements file is relative to that file",
            )
        self.file(path, constraint=constraint)

    def _fetched(self, url: str, origin: Origin) -> str:
        try:
            return self.context.fetch(url)
        except MlpinError as error:
            error.notes = (*error.notes, f"asked for by {origin.place}: `{origin.text}`")
            raise


def _said(settings: Settings, name: str) -> list[str] | None:
    value: tuple[str, ...] | None = getattr(settings, name)
    return None if value is None else list(value)


def _strong_hash(value: str, origin: Origin) -> str:
    algorithm, colon, _ = value.partition(":")
    if not colon or algorithm not in links.STRONG_HASHES:
        wanted = ", ".join(links.STRONG_HASHES)
        raise InputError(f"`--hash={value}` is not `algorithm:digest` with one of {wanted}", where=origin.place)
    try:
        return links.hash_of(value)
    except ValueError as error:
        raise InputError(f"`--hash={value}` cannot be used: {error}", where=origin.place) from None
