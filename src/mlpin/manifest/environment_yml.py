"""`environment.yml` of conda: channels, conda packages, the pip section, and what conda-lock adds (`platforms`)."""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path

import yaml

from mlpin.config import channels
from mlpin.config.source import Texts
from mlpin.errors import InputError
from mlpin.manifest import conda_lines, pip_lines
from mlpin.manifest.model import Context, Manifest, Note
from mlpin.manifest.requirements_txt import Collector
from mlpin.manifest.source_text import redacted
from mlpin.manifest.yaml_lines import YamlFile, is_nothing, line
from mlpin.requirement import Declared
from mlpin.settings import TargetSettings

_OVERRIDE = re.compile(r"CONDA_OVERRIDE_(CUDA|GLIBC|OSX|LINUX|WIN|ARCHSPEC)")
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})")


def read(path: Path, context: Context) -> Manifest:
    """The file at `path`; `InputError` where it lists no dependencies or cannot be read."""
    return _Reader(path, context).manifest()


class _Reader:
    def __init__(self, path: Path, context: Context) -> None:
        self.path = path
        self.context = context
        self.file = YamlFile.read(path, context)
        self.collector = Collector(path, context, bases=(path.parent,))
        self.collector.inputs.append(path)
        self.source = Texts({}, path.parent, context, files={"channels": self.file.shown})
        self.conda: list[Declared] = []
        self.pip = False
        self.targets: dict[str, TargetSettings] = {}

    def manifest(self) -> Manifest:
        readers = {
            "dependencies": self._dependencies,
            "channels": self._channels,
            "variables": self._variables,
            "platforms": self._platforms,
        }
        unknown = []
        for key, value in self.file.pairs(self.file.root, "an environment"):
            if key.value in readers:
                readers[key.value](value)
            elif key.value not in ("name", "prefix", "category"):
                near = get_close_matches(key.value, readers, 1, 0.7)
                unknown.append(f"`{redacted(key.value)}`" + (f" (did you mean `{near[0]}`?)" if near else ""))
                self._note(key, f"{unknown[-1]} is not a key that mlpin reads")
        if not (self.conda or self.pip):
            keys = f"; not read: {', '.join(unknown[:10])}" if unknown else ""
            raise InputError(
                f"lists no dependencies{keys}",
                where=self.file.shown,
                hint="write `dependencies:` with a list below it, like `- python=3.11` and `- pip:`",
            )
        requires_python, origin = conda_lines.requires_python("", None, self.conda)
        return Manifest(
            path=self.path,
            kind="environment",
            requires_python=requires_python,
            requires_python_origin=origin,
            requirements=(*self.conda, *self.collector.requirements),
            constraints=tuple(self.collector.constraints),
            layers=self.collector.layers(),
            notes=tuple(self.collector.notes),
            inputs=tuple(self.collector.inputs),
            targets=self.targets,
        )

    def _note(self, node: yaml.Node, message: str) -> None:
        self.collector.notes.append(Note(message, self.file.origin(node, "")))

    def _dependencies(self, node: yaml.Node) -> None:
        for item in self.file.items(node, "dependencies", "begin each dependency with `- `"):
            if isinstance(item, yaml.ScalarNode):
                text = " ".join(item.value.split())
                origin = self.file.origin(item, text)
                one = conda_lines.declared(text, origin, base=self.path.parent, otherwise=conda_lines.BELOW_PIP)
                self.conda.append(one)
                continue
            for key, value in self.file.pairs(item, "a dependency that is not a word"):
                if key.value != "pip":
                    version = value.value if isinstance(value, yaml.ScalarNode) else ""
                    hint = f"write `- {key.value}={version}`" if re.fullmatch(r"[0-9][\w.]*", version) else None
                    message = f"`{key.value}` is not an installer that conda knows; only `pip` is"
                    raise self.file.error(key, message, hint)
                self._pip_section(value)

    def _pip_section(self, node: yaml.Node) -> None:
        self.pip = True
        if is_nothing(node):
            raise self.file.error(
                node, "the pip section is empty", "take the colon after `pip` away, or list something"
            )
        for item in self.file.items(node, "pip", "begin each requirement with `- `"):
            if not isinstance(item, yaml.ScalarNode):
                hint = "put the requirement in quotes" if isinstance(item, yaml.MappingNode) else None
                raise self.file.error(item, "a requirement in the pip section must be one piece of text", hint)
            one = pip_lines.logical_line(line(item), item.value, self.context.environ)
            if one is not None:
                self.collector.line(one, self.file.origin(item, one.shown), self.path.parent)

    def _channels(self, node: yaml.Node) -> None:
        """The channels in their order; variables in them are those of the environment, as conda has it."""
        if is_nothing(node):
            return
        found = []
        for item in self.file.words(node, "channels"):
            text = _VARIABLE.sub(lambda one: self.context.environ.get(one[1] or one[2]) or one[0], item.value)
            if unset := _VARIABLE.search(text):
                raise self.file.error(item, f"`{unset[0]}` in a channel is not set in the environment")
            try:
                found.append(channels.channel(text, self.source, "channels"))
            except InputError as error:
                raise self.file.error(item, error.message, error.hint) from None
        self._say(channels=channels.listed(found))

    def _variables(self, node: yaml.Node) -> None:
        """Environment variables, which conda sets; those that stand for virtual packages are the target's."""
        if is_nothing(node):
            return
        virtual, others = [], []
        for key, value in self.file.pairs(node, "`variables`"):
            found = _OVERRIDE.fullmatch(key.value)
            if not found:
                others.append(f"`{key.value}`")
            elif isinstance(value, yaml.ScalarNode):
                name = f"__{found[1].lower()}"
                text = f"1={value.value}" if found[1] == "ARCHSPEC" and value.value else value.value
                if not channels.is_virtual_version(text):
                    raise self.file.error(value, f"`{key.value}` cannot be `{text}`", channels.VIRTUAL_HINT)
                virtual.append((name, text))
        if others:
            shown = ", ".join(others)
            self._note(node, f"conda sets {shown} when the environment is activated; locking does not look at that")
        if virtual:
            self._say(virtual_packages=tuple(virtual))

    def _platforms(self, node: yaml.Node) -> None:
        """The platforms that conda-lock would lock for: one is the platform, several are a target each."""
        from mlpin.conda.virtual import platform_of

        known: dict[str, str] = {}
        unknown: list[InputError] = []
        for item in self.file.words(node, "platforms"):
            try:
                known[item.value] = platform_of(item.value)
            except InputError as error:
                unknown.append(self.file.error(item, error.message, error.hint))
                self._note(item, error.message)
        if unknown and not known:
            raise unknown[0]
        if len(known) == 1:
            self._say(platform=next(iter(known.values())))
        elif known:
            self.targets = {name: TargetSettings(name, platform=platform) for name, platform in known.items()}

    def _say(self, **settings: object) -> None:
        self.collector.settings = self.collector.settings._replace(**settings)  # type: ignore[arg-type]
