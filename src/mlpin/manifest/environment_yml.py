"""`environment.yml` of conda: for now the `pip` section and the Python version alone.

Conda packages are an error that names their lines, never left out in silence. Only the node tree of
YAML is looked at, so aliases cost nothing however they are nested.
"""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from mlpin.errors import InputError
from mlpin.manifest import pep508, pip_lines
from mlpin.manifest.model import Context, Manifest, Note
from mlpin.manifest.requirements_txt import Collector
from mlpin.manifest.source_text import text_of
from mlpin.requirement import Origin

_LIMIT = 512 * 1024
_SHOWN = 5
_CONDA = re.compile(r"(?:(?P<channel>[^\s:]+)::)?(?P<name>[A-Za-z0-9_][A-Za-z0-9_.-]*)\s*(?P<rest>.*)")
_CLAUSE = re.compile(r"(==|!=|>=|<=|>|<|~=|=)?\s*([0-9][0-9A-Za-z.]*(?:\.?\*)?)")


def read(path: Path, context: Context) -> Manifest:
    """The file at `path`; `InputError` where it has conda packages, no pip section, or cannot be read."""
    return _Reader(path, context).manifest()


class _Reader:
    def __init__(self, path: Path, context: Context) -> None:
        self.path = path
        self.context = context
        self.shown = context.shown(path)
        self.collector = Collector(path, context, bases=(path.parent,))
        self.collector.inputs.append(path)
        self.conda: list[tuple[int, str]] = []
        self.requires_python = ""
        self.python_origin: Origin | None = None
        self.pip = False

    def _error(self, line: int, message: str, hint: str | None = None) -> InputError:
        return InputError(message, where=f"{self.shown}:{line}", hint=hint)

    def manifest(self) -> Manifest:
        root = self._root()
        for key, value in self._pairs(root, "an environment"):
            if key.value == "dependencies":
                self._dependencies(value)
            elif key.value == "channels":
                origin = self._origin(key, "channels")
                self.collector.notes.append(Note("`channels` has no effect yet: only the pip section is read", origin))
            elif key.value not in ("name", "prefix", "variables", "platforms", "category"):
                origin = self._origin(key, key.value)
                self.collector.notes.append(Note(f"`{key.value}` is not a key that mlpin reads", origin))
        if self.conda:
            raise self._conda_error()
        if not self.pip:
            raise InputError(
                "has no pip section, so there is nothing that mlpin can lock yet",
                where=self.shown,
                hint="write `- pip:` with a list below it in `dependencies`",
            )
        return Manifest(
            path=self.path,
            kind="environment",
            requires_python=self.requires_python,
            requires_python_origin=self.python_origin,
            requirements=tuple(self.collector.requirements),
            constraints=tuple(self.collector.constraints),
            layers=self.collector.layers(),
            notes=tuple(self.collector.notes),
            inputs=tuple(self.collector.inputs),
        )

    def _conda_error(self) -> InputError:
        shown = ", ".join(f"`{text}`" for _, text in self.conda[:_SHOWN])
        more = f" and {len(self.conda) - _SHOWN} more" if len(self.conda) > _SHOWN else ""
        verb = "is a conda package" if len(self.conda) == 1 else "are conda packages"
        return InputError(
            f"{shown}{more} {verb}, which mlpin cannot lock yet",
            where=f"{self.shown}:{self.conda[0][0]}",
            notes=tuple(f"{self.shown}:{line}: {text}" for line, text in self.conda[:_SHOWN]),
            hint="until it can, put what PyPI has into the pip section or into a requirements.txt, and lock that",
        )

    # YAML

    def _root(self) -> yaml.Node:
        text = text_of(self.path, self.context)
        if len(text) > _LIMIT:
            raise InputError(f"is larger than {_LIMIT // 1024} KiB, so it is no environment", where=self.shown)
        try:
            root = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            problem = error.problem or "it cannot be parsed"
            hint = "YAML is indented with spaces, never with tabs" if "\\t" in problem or "'\t'" in problem else None
            raise self._error(mark.line + 1 if mark else 1, f"is not valid YAML: {problem}", hint) from None
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            raise self._error(line, "is not valid YAML: it has a character that YAML does not allow") from None
        except RecursionError:
            raise InputError("is not valid YAML: it is nested too deeply", where=self.shown) from None
        except yaml.YAMLError:
            raise InputError("is not valid YAML", where=self.shown) from None
        if root is None:
            raise InputError("is empty", where=self.shown)
        return root

    def _pairs(self, node: yaml.Node, what: str) -> list[tuple[yaml.ScalarNode, yaml.Node]]:
        """The keys and values of a mapping, each key once."""
        if not isinstance(node, yaml.MappingNode):
            raise self._error(_line(node), f"{what} must be a mapping of keys to values")
        seen: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self._error(_line(key), "a key must be a word")
            if key.value in seen:
                first = seen[key.value]
                raise self._error(_line(key), f"`{key.value}` stands here for the second time (first: line {first})")
            seen[key.value] = _line(key)
        return list(node.value)

    def _dependencies(self, node: yaml.Node) -> None:
        if not isinstance(node, yaml.SequenceNode):
            raise self._error(_line(node), "`dependencies` must be a list", "begin each dependency with `- `")
        for item in node.value:
            if isinstance(item, yaml.ScalarNode):
                self._conda_package(item)
                continue
            for key, value in self._pairs(item, "a dependency that is not a word"):
                if key.value != "pip":
                    raise self._error(_line(key), f"`{key.value}` is not an installer that conda knows; only `pip` is")
                self._pip_section(value)

    def _origin(self, node: yaml.Node, text: str) -> Origin:
        return Origin("manifest", self.shown, _line(node), text)

    def _pip_section(self, node: yaml.Node) -> None:
        if isinstance(node, yaml.ScalarNode) and not node.value:
            raise self._error(_line(node), "the pip section is empty")
        if not isinstance(node, yaml.SequenceNode):
            raise self._error(_line(node), "the pip section must be a list", "begin each requirement with `- `")
        self.pip = True
        for item in node.value:
            if not isinstance(item, yaml.ScalarNode):
                hint = "put the requirement in quotes" if isinstance(item, yaml.MappingNode) else None
                raise self._error(_line(item), "a requirement in the pip section must be one piece of text", hint)
            line = pip_lines.logical_line(_line(item), item.value, self.context.environ)
            if line is not None:
                origin = self._origin(item, line.shown)
                self.collector.line(line, origin, self.path.parent)

    def _conda_package(self, node: yaml.ScalarNode) -> None:
        text = " ".join(node.value.split())
        found = _CONDA.fullmatch(text)
        if found is None:
            raise self._error(_line(node), f"`{text}` is not a dependency" if text else "a dependency is empty")
        if found["name"].lower() == "pip":
            return
        if found["name"].lower() == "python":
            origin = self._origin(node, text)
            self.requires_python = pep508.specifier(self._python(found["rest"], node), origin)
            self.python_origin = origin if self.requires_python else None
            return
        self.conda.append((_line(node), text))

    def _python(self, text: str, node: yaml.Node) -> str:
        """A version of Python as conda writes it (`=3.10`, `>=3.9,<3.12`, `3.10.*`) as PEP 440."""
        text = re.sub(r"^(={0,2}\s*[0-9][0-9A-Za-z.*]*)(?:\s*=\s*|\s+)[A-Za-z0-9_*]+$", r"\1", text.strip("[] "))
        clauses = [part.strip() for part in text.split(",") if part.strip() not in ("", "*")]
        written = []
        for clause in clauses:
            found = _CLAUSE.fullmatch(clause)
            if found is None:
                raise self._error(_line(node), f"`{clause}` is not a Python version that mlpin can read")
            operator, version = found[1] or "=", found[2].removesuffix("*").removesuffix(".")
            if operator == "=" or (operator in ("==", "!=") and found[2].endswith("*")):
                written.append(f"{'!=' if operator == '!=' else '=='}{version}.*")
            else:
                written.append(f"{operator}{version}")
        return ",".join(written)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
