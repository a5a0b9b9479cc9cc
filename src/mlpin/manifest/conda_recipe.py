"""conda recipes where they are plain: the requirements of `meta.yaml` (conda-build) and `recipe.yaml` (rattler-build).

`run` is what is locked, `host` and `build` are groups. Nothing is rendered: selectors of platforms become markers and
variables that the file itself sets are put in; everything else that would have to be computed is refused by line.
"""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from mlpin.errors import InputError
from mlpin.manifest import conda_lines, pep508
from mlpin.manifest.model import Context, Manifest, Note
from mlpin.manifest.source_text import text_of
from mlpin.manifest.yaml_lines import MOST, YamlFile, is_nothing, line
from mlpin.requirement import Declared

_GROUPS = ("host", "build")
_RENDER = "render the recipe (`conda render`, `rattler-build --render-only`), or write an environment.yml"
_RECIPE = re.compile(r"(?m)^(?:requirements|outputs)[ \t]*:")
_SET = re.compile(r"""\{%-?\s*set\s+(\w+)\s*=\s*(?:"([^"{}%]*)"|'([^'{}%]*)'|([0-9.]+))\s*-?%\}""")
_JINJA = re.compile(r"\$?\{\{(?P<said>[^{}\n]*)\}\}")
_STATEMENT = re.compile(r"\{%-?[ \t]*(?P<word>\w*)[^%{}\n]*%\}")
_SELECTOR = re.compile(r"#\s*\[(?P<said>[^\[\]]+)\]\s*$")
_WORDS = {
    "linux": 'sys_platform == "linux"',
    "osx": 'sys_platform == "darwin"',
    "win": 'sys_platform == "win32"',
    "unix": 'sys_platform != "win32"',
    "linux64": 'sys_platform == "linux" and platform_machine == "x86_64"',
    "win64": 'sys_platform == "win32"',
    "aarch64": 'platform_machine == "aarch64"',
    "arm64": 'platform_machine == "arm64"',
    "x86_64": '(platform_machine == "x86_64" or platform_machine == "AMD64")',
}
_PYTHON = re.compile(r"py\s*(==|!=|>=|<=|<|>)\s*(3)([0-9]{1,2})")


def declares(path: Path) -> bool:
    """Whether the file is a recipe; one that cannot be read counts, since `read` says what is wrong."""
    try:
        return bool(_RECIPE.search(path.read_text(encoding="utf-8-sig")))
    except (OSError, ValueError):
        return True


def read(path: Path, context: Context) -> Manifest:
    """The recipe at `path`; `InputError` where what it needs to run cannot be read plainly."""
    return _Reader(path, context).manifest()


class _Reader:
    def __init__(self, path: Path, context: Context) -> None:
        self.path = path
        text = text_of(path, context)
        self.lines = text.split("\n")
        self.old = path.name.lower() == "meta.yaml"
        self.jinja: list[str] = []
        self.variables: dict[str, str] = {}
        self.file = YamlFile(self._plain(text, context.shown(path)) if self.old else text, context.shown(path))
        self.notes: list[Note] = []
        self.count = 0

    def _plain(self, text: str, shown: str) -> str:
        """The text without Jinja: what it sets is kept, what it puts in is marked by a word that YAML can read."""
        self.variables = {one[1]: one[2] or one[3] or one[4] or "" for one in _SET.finditer(text)}
        for number, content in enumerate(self.lines, start=1):
            for one in _STATEMENT.finditer(content):
                if one["word"] not in ("set", ""):
                    raise InputError(
                        f"`{one[0]}` is code, and recipes are not run", where=f"{shown}:{number}", hint=_RENDER
                    )
        text = _STATEMENT.sub("", text)

        def marked(one: re.Match[str]) -> str:
            self.jinja.append(one[0])
            return f"JINJA_{len(self.jinja) - 1}_"

        return _JINJA.sub(marked, text)

    def manifest(self) -> Manifest:
        tables = {key.value: value for key, value in self.file.pairs(self.file.root, "a recipe")}
        if not self.old and "context" in tables:
            for key, value in self.file.pairs(tables["context"], "`context`"):
                if isinstance(value, yaml.ScalarNode):
                    self.variables[key.value] = value.value
        if "requirements" not in tables:
            hint = "name one of them in an environment.yml" if "outputs" in tables else None
            what = "has several outputs, of which none can be chosen" if hint else "lists no requirements"
            raise InputError(what, where=self.file.shown, hint=hint)
        run: tuple[Declared, ...] = ()
        groups: dict[str, tuple[Declared, ...]] = {}
        for key, value in self.file.pairs(tables["requirements"], "`requirements`"):
            if key.value == "run":
                run = tuple(self._listed(value, key))
            elif key.value in _GROUPS:
                try:
                    groups[key.value] = tuple(self._listed(value, key))
                except InputError as error:
                    message = f"there is no group `{key.value}`: {error.message}"
                    self.notes.append(
                        Note(message, self.file.origin(key, "")._replace(line=_line_of(error, line(key))))
                    )
            else:
                self.notes.append(Note(f"`{key.value}` is not read", self.file.origin(key, "")))
        if not run:
            raise InputError("lists nothing that it needs to run", where=self.file.shown, hint="list it below `run:`")
        requires_python, origin = conda_lines.requires_python("", None, run)
        return Manifest(
            path=self.path,
            kind="recipe",
            requires_python=requires_python,
            requires_python_origin=origin,
            requirements=run,
            groups=groups,
            notes=tuple(self.notes),
            inputs=(self.path,),
        )

    def _listed(self, node: yaml.Node, key: yaml.ScalarNode, marker: str | None = None) -> list[Declared]:
        """The requirements of a list; `marker` is that of the condition around it, None at the top."""
        if is_nothing(node):
            return []
        found: list[Declared] = []
        one_word = marker is not None and isinstance(node, yaml.ScalarNode)
        for item in [node] if one_word else self.file.items(node, key.value, "begin each requirement with `- `"):
            self.count += 1
            if self.count > MOST:
                raise self.file.error(item, f"there are more than {MOST} requirements")
            if isinstance(item, yaml.ScalarNode):
                found.append(self._requirement(item, marker or ""))
            elif self.old or marker is not None:
                raise self.file.error(item, "a requirement must be one piece of text")
            else:
                found += self._conditional(item, key)
        return found

    def _conditional(self, node: yaml.Node, key: yaml.ScalarNode) -> list[Declared]:
        """`if: linux`, `then: …`, `else: …`."""
        parts = {one.value: value for one, value in self.file.pairs(node, "a requirement that is not a word")}
        if not parts.keys() <= {"if", "then", "else"} or "if" not in parts or "then" not in parts:
            raise self.file.error(node, "only `if`, `then` and `else` can stand here", _RENDER)
        said = parts["if"].value if isinstance(parts["if"], yaml.ScalarNode) else ""
        marker = self._marker(str(said), parts["if"])
        found = self._listed(parts["then"], key, marker)
        if "else" in parts:
            found += self._listed(parts["else"], key, pep508.negated(marker))
        return found

    def _requirement(self, node: yaml.ScalarNode, marker: str) -> Declared:
        text = re.sub(r"JINJA_([0-9]+)_", lambda one: self.jinja[int(one[1])], node.value) if self.old else node.value
        text = _JINJA.sub(lambda one: self.variables.get(one["said"].strip(), one[0]), text)
        origin = self.file.origin(node, " ".join(text.split()))
        if unread := _JINJA.search(text):
            name = unread["said"].strip()
            name = name if name.isidentifier() else ""
            setting = f'{{% set {name} = "…" %}}' if self.old else f"`context: {{{name}: …}}`"
            hint = f"say in the file what it is ({setting}), or {_RENDER}" if name else _RENDER
            raise self.file.error(node, f"`{unread[0]}` is computed when the package is built", hint)
        found = _SELECTOR.search(self.lines[line(node) - 1]) if self.old else None
        if found:
            marker = self._marker(found["said"], node)
        return conda_lines.declared(text, origin, base=self.path.parent, marker=marker, otherwise=_RENDER)

    def _marker(self, text: str, node: yaml.Node) -> str:
        """A condition on the platform, or on the version of Python, as a marker."""
        text, either = " ".join(text.split()), []
        for part in text.split(" or "):
            every = []
            for word in part.split(" and "):
                bare = word.removeprefix("not ")
                python = _PYTHON.fullmatch(bare)
                marker = f'python_version {python[1]} "{python[2]}.{python[3]}"' if python else _WORDS.get(bare)
                if marker is None:
                    message = f"`{text}` is a condition that mlpin cannot read"
                    raise self.file.error(node, message, f"`linux`, `osx`, `win` and `unix` can be read; or {_RENDER}")
                if bare != word:
                    marker = pep508.negated(marker)
                every.append(f"({marker})" if " or " in marker and not marker.startswith("(") else marker)
            either.append(" and ".join(every))
        return pep508.either(either)


def _line_of(error: InputError, otherwise: int) -> int:
    number = (error.where or "").rpartition(":")[2]
    return int(number) if number.isdigit() else otherwise
