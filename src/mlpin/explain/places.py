"""Where the user wrote what a premise says, and how a change of it is written there.

Reads the project's files; writes none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlpin.errors import InputError, UsageError
from mlpin.explain.changes import written
from mlpin.explain.model import Edit
from mlpin.explain.probing import Change
from mlpin.manifest import edits
from mlpin.manifest.source_text import bytes_of, decoded, redacted
from mlpin.manifest.toml_lines import TomlFile
from mlpin.project import MLPIN_TOML, PYPROJECT, Project, TargetPlan, target_of

if TYPE_CHECKING:
    from mlpin.manifest.model import Context
    from mlpin.settings import Settings

_CODED = {".txt", ".in", ".py"}
"""Suffixes of files that may name their encoding in a comment."""
_VIRTUAL = "virtual-packages"
_OPTIONS = {"gpus": "--gpu"}


class Places:
    """Of one target of a project. `command_line` is what was said there."""

    def __init__(self, project: Project, plan: TargetPlan, command_line: Settings, context: Context) -> None:
        self._project = project
        self._plan = plan
        self._command_line = command_line
        self._context = context
        self._texts: dict[str, str] = {}

    # -- facts and options

    def place(self, field: str) -> tuple[str, str, int]:
        """Where a fact of the target or an option was said: in words, the file, the line."""
        key = "gpus" if field.startswith("gpu:") else field
        if getattr(self._command_line, key.replace("-", "_"), None):
            return _OPTIONS.get(key, f"--{key}"), "", 0
        variable = f"MLPIN_{key.upper().replace('-', '_')}"
        if self._context.environ.get(variable):
            return variable, "", 0
        found = self._in_files(key)
        if found is not None:
            file, table = found
            origin = file.origin((*table, key))
            return origin.place, origin.file, origin.line
        if key == "accelerator" and self._plan.target.hardware.driver:
            return self.place("driver")
        if key in self._plan.detected or (key == "glibc" and "platform" in self._plan.detected):
            return "detected", "", 0
        return ("the default" if key in {"glibc", "platform", "channel-priority"} else "configuration"), "", 0

    def shared(self, field: str) -> bool:
        """Whether a field is said for every target of the project, not in the table of one or one of a list."""
        if len(self._project.plans) == 1:
            return True
        found = None if getattr(self._command_line, field.replace("-", "_"), None) else self._in_files(field)
        if found is None:
            return True
        file, table = found
        return "targets" not in table and isinstance(_table(file.data, table)[field], str)

    def _in_files(self, key: str) -> tuple[TomlFile, tuple[str, ...]] | None:
        """The file and the table of mlpin's settings that say a key for the target."""
        name = self._target()
        for path in self._files():
            try:
                file = TomlFile.read(path, self._context)
            except InputError:
                continue
            top = () if path.name == MLPIN_TOML else ("tool", "mlpin")
            for table in ((*top, "targets", name), top):
                where = (*table, _VIRTUAL) if key.startswith("__") else table
                if key in _table(file.data, where):
                    return file, where
        return None

    def _files(self) -> Iterable[Path]:
        folder = self._project.manifest.path.parent
        return (path for path in (folder / MLPIN_TOML, folder / PYPROJECT) if path.is_file())

    def _target(self) -> str:
        """The name of the target's table: without the Python, where it has a list of them."""
        name = self._plan.target.name
        try:
            return target_of(self._project.settings, name).name if name else ""
        except UsageError:
            return name

    # -- changes

    def spell(self, change: Change) -> Edit | None:
        """The change as an edit of what the user wrote; None where it cannot be written there."""
        if change.declared is None:
            return self._spelled_field(change)
        assert change.item.declared is not None
        origin = change.item.declared.origin
        if not origin.file:
            new = written(change.declared)
            return Edit(origin.text, new, origin.place) if origin.kind == "option" else None
        text = self._text(origin.file)
        found = self._respecified(text, change) if text is not None else None
        return Edit(redacted(found.old), redacted(found.new), origin.place, origin.file, origin.line) if found else None

    def _spelled_field(self, change: Change) -> Edit | None:
        key = change.item.name
        place, name, line = self.place(key)
        if name:
            found = self._set(self._text(name) or "", name, change)
            return Edit(found.old, found.new, place, name, found.line) if found else None
        if key.startswith("__"):
            return None
        option = f"--{key}"
        old = self._value(key) if place == option else ""
        value = change.value.partition("T")[0] if key == "exclude-newer" else change.value
        return Edit(f"{option} {old}" if old else "", f"{option} {value}" if value else "", "command line", line=line)

    def _value(self, key: str) -> str:
        target = self._plan.target
        known: dict[str, str] = {
            "python": target.python,
            "glibc": target.platform.glibc,
            "driver": target.hardware.driver,
            "cuda": target.hardware.cuda.removeprefix("=="),
            "exclude-newer": self._project.settings.exclude_newer or "",
            "channel-priority": self._project.settings.channel_priority or "",
            "accelerator": target.hardware.accelerator,
        }
        return known.get(key, "")

    def texts(self, changes: Iterable[Change]) -> dict[Path, bytes]:
        """By path, the files with the changes written into them; those of the command line are not among them."""
        written: dict[str, str] = {}
        for change in changes:
            name = self._file_of(change)
            if not name:
                continue
            text = written.get(name) or self._text(name) or ""
            found = self._respecified(text, change) if change.declared is not None else self._set(text, name, change)
            if found is None:
                raise InputError("the edit cannot be written", where=name, hint="make it by hand")
            written[name] = found.text
        return {self._path(name): self._encoded(name, text) for name, text in written.items()}

    def _file_of(self, change: Change) -> str:
        return change.item.declared.origin.file if change.item.declared else self.place(change.item.name)[1]

    def _respecified(self, text: str, change: Change) -> edits.Change | None:
        old, new = change.item.declared, change.declared
        assert old is not None
        assert new is not None
        extras = new.extras if new.extras != old.extras else None
        return edits.respecified(text, old.origin.line, old, new.conda or new.specifier, extras=extras)

    def _set(self, text: str, name: str, change: Change) -> edits.Change | None:
        found = self._in_files(change.item.name)
        if found is None or found[0].shown != name:
            return None
        _, table = found
        key = change.item.name
        if not change.value:
            return edits.field_dropped(text, table, key)
        value = change.value.partition("T")[0] if key == "exclude-newer" else change.value
        if key == "python" and value in {plan.target.python for plan in self._project.plans}:
            return None  # there is a target for it
        return edits.field_set(text, table, key, value, self._plan.target.python if key == "python" else None)

    # -- files

    def _path(self, name: str) -> Path:
        return self._context.root / name

    def _text(self, name: str) -> str | None:
        """The text of a file by its shown name; None where it cannot be read."""
        if name not in self._texts:
            try:
                data = bytes_of(self._path(name), self._context)
                coded = self._path(name).suffix in _CODED
                self._texts[name] = decoded(data, name, declared_coding=coded)
            except InputError:
                return None
        return self._texts[name]

    def _encoded(self, name: str, text: str) -> bytes:
        path = self._path(name)
        return edits.encoded(text, bytes_of(path, self._context), declared_coding=path.suffix in _CODED)


def _table(data: Mapping[str, Any], path: tuple[str, ...]) -> Mapping[str, Any]:
    for step in path:
        inner = data.get(step)
        if not isinstance(inner, dict):
            return {}
        data = inner
    return data
