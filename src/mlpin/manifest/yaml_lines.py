"""A YAML file as nodes with the lines that they stand on.

Only the tree of nodes is looked at, never values made of it, so aliases cost nothing however they are nested.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from mlpin.errors import InputError
from mlpin.manifest.model import Context
from mlpin.manifest.source_text import redacted, text_of
from mlpin.requirement import Origin

MOST = 10_000
"""Items of a list: no file has more, unless aliases make them."""
_LIMIT = 512 * 1024
_TAG = "tag:yaml.org,2002:"
_TAGS = {_TAG + kind for kind in ("str", "int", "float", "bool", "null", "timestamp", "merge", "value")}
"""Of the words that stand for themselves; all others stand for objects of some program."""


class YamlFile:
    """A YAML text with one document. `shown` is its name in messages."""

    __slots__ = ("root", "shown")

    def __init__(self, text: str, shown: str) -> None:
        self.shown = shown
        self.root = self._root(text)

    @classmethod
    def read(cls, path: Path, context: Context) -> YamlFile:
        """The file at `path`; `InputError` where it cannot be read or is not YAML."""
        return cls(text_of(path, context), context.shown(path))

    def _root(self, text: str) -> yaml.Node:
        if len(text) > _LIMIT:
            raise InputError(f"is larger than {_LIMIT // 1024} KiB, so it is no environment", where=self.shown)
        try:
            root = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            problem = error.problem or "it cannot be parsed"
            hint = "YAML is indented with spaces, never with tabs" if "\\t" in problem or "'\t'" in problem else None
            raise self.error(mark.line + 1 if mark else 1, f"is not valid YAML: {problem}", hint) from None
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            raise self.error(line, "is not valid YAML: it has a character that YAML does not allow") from None
        except RecursionError:
            raise InputError("is not valid YAML: it is nested too deeply", where=self.shown) from None
        except yaml.YAMLError:
            raise InputError("is not valid YAML", where=self.shown) from None
        if root is None:
            raise InputError("is empty", where=self.shown)
        return root

    def error(self, at: yaml.Node | int, message: str, hint: str | None = None) -> InputError:
        """An `InputError` at a node or a line; the caller raises it."""
        return InputError(message, where=f"{self.shown}:{at if isinstance(at, int) else line(at)}", hint=hint)

    def origin(self, node: yaml.Node, text: str) -> Origin:
        """The origin of what stands at `node`."""
        return Origin("manifest", self.shown, line(node), redacted(text))

    def pairs(self, node: yaml.Node, what: str) -> list[tuple[yaml.ScalarNode, yaml.Node]]:
        """The keys and values of the mapping `what`, each key once."""
        if not isinstance(node, yaml.MappingNode):
            raise self.error(node, f"{what} must be a mapping of keys to values")
        seen: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self.error(key, "a key must be a word")
            if key.value in seen:
                first = seen[key.value]
                raise self.error(key, f"`{key.value}` stands here for the second time (first: line {first})")
            seen[key.value] = line(key)
        return list(node.value)

    def items(self, node: yaml.Node, key: str, hint: str | None = None) -> list[yaml.Node]:
        """The items of the list at `key`; none of them is a null or a word with a tag of its own."""
        if not isinstance(node, yaml.SequenceNode):
            raise self.error(node, f"`{key}` must be a list", hint)
        if len(node.value) > MOST:
            raise self.error(node, f"`{key}` has more than {MOST} items")
        for item in node.value:
            if isinstance(item, yaml.ScalarNode) and item.tag not in _TAGS:
                tag = redacted(item.tag.replace(_TAG, "!!"))
                raise self.error(item, f"`{key}` has a word with the tag `{tag}`", "take the tag away")
            if is_nothing(item) and item.value:
                message = f"`{item.value}` in `{key}` is YAML's word for nothing"
                raise self.error(item, message, "take the line away, or put the word in quotes if it is a name")
        return list(node.value)

    def words(self, node: yaml.Node, key: str) -> list[yaml.ScalarNode]:
        """The words of the list at `key`; none where nothing is written there."""
        if is_nothing(node):
            return []
        found = []
        for item in self.items(node, key):
            if not isinstance(item, yaml.ScalarNode):
                raise self.error(item, f"`{key}` must be a list of words")
            found.append(item)
        return found


def line(node: yaml.Node) -> int:
    """The line on which a node begins."""
    return int(node.start_mark.line) + 1


def is_nothing(node: yaml.Node) -> bool:
    """Whether there is no value after a key, or a null."""
    return isinstance(node, yaml.ScalarNode) and not node.style and node.value in ("", "~", "null", "Null", "NULL")
