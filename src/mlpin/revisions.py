"""Which locks two words name: files, directories, targets, git revisions. Read where they lie, without a checkout.

It knows names and git; what a difference is stands in `lock.difference`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from mlpin.errors import InputError, UsageError
from mlpin.git import Git
from mlpin.lock.file import is_name, name_of
from mlpin.lock.locked import Lock, parsed

_TARGET = re.compile(r"[a-z0-9_-]+")
_PATH = re.compile(r"(?::[0-3]|(?:[^{}:]|\{[^{}]*\})*):(.*)")
"""`main:envs`, `HEAD@{2026-01-01 10:00}:envs`, and in the index `:envs`, `:0:envs`."""


class Pair(NamedTuple):
    """Two locks that are compared, as messages name them; None where there is only one."""

    shown: tuple[str, str]
    old: Lock | None
    new: Lock | None


class _Place(NamedTuple):
    """Where one side's locks are: one `file`, or all in a `folder` (of this machine, or of a revision)."""

    kind: Literal["file", "folder"]
    names: tuple[str, ...]
    shown: Callable[[str], str]
    read: Callable[[str], Lock]
    folder: Path | None = None
    """On this machine; None of a revision."""
    inside: str | None = None
    """Of `REVISION:PATH`: that path, from the top of the repository."""


def pairs(
    old: str | None, new: str | None, root: Path, environ: Mapping[str, str], target: str | None = None
) -> list[Pair]:
    """The locks to compare, sorted by file name; `target` chooses one. Without `new`, the working tree stands there.

    A word is a path where there is one, else the target of a lock in `root`, else what git makes of it. Where OLD
    alone is a path or a target, HEAD is compared with it; where it is `REVISION:PATH`, it is compared with that path.
    Raises `InputError` and `UsageError`.
    """
    for word in (old, new):
        if word == "":
            raise UsageError("a lock's name cannot be empty", hint="mlpin diff OLD NEW")
    before = _here(old, root) if old is not None else None
    after = _here(new, root) if new is not None else _folder(root, "")
    words = old or "HEAD", new or ""
    if new is None and before is not None:
        words, before, after = ("HEAD", words[0]), None, before
    git = Git(None, environ)
    if before is None:
        before = _revision(words[0], _beside(after, root, git), root, git)
        if new is None and before.inside is not None:
            after = _there(before, root, git)
    if after is None:
        after = _revision(words[1], _beside(before, root, git), root, git)
    return _paired(before, after, target, words)


def _paired(old: _Place, new: _Place, target: str | None, words: tuple[str, str]) -> list[Pair]:
    if old.kind == new.kind == "file":
        if target is not None:
            raise UsageError("--target chooses one of several locks, and these are one each", hint="leave it out")
        return [_pair(old, old.names[0], new, new.names[0])]
    if target is not None:
        there = {name for side in (old, new) if side.kind == "folder" for name in side.names}
        old, new = _of(target, old), _of(target, new)
        if not any(side.names for side in (old, new) if side.kind == "folder"):
            raise InputError(f"there is no lock of a target `{target}`", hint=_has(sorted(there)))
    if old.kind == "file":
        return [_pair(old, old.names[0], new, _counterpart(old.names[0], new, target))]
    if new.kind == "file":
        return [_pair(old, _counterpart(new.names[0], old, target), new, new.names[0])]
    names = sorted({*old.names, *new.names})
    if not names:
        raise InputError(
            f"neither {words[0]} nor {words[1] or 'the working tree'} has a lock here",
            hint="locks are called pylock.toml or pylock.NAME.toml; `mlpin lock` makes them",
        )
    return [_pair(old, name, new, name) for name in names]


def _counterpart(name: str, folder: _Place, target: str | None) -> str:
    """Which lock of a folder one file is compared with: the one of its name, or the only one where it has another."""
    if target is None and is_name(name):
        return name
    if len(folder.names) == 1:
        return folder.names[0]
    raise InputError(
        f"which lock `{name}` is to be compared with is not clear",
        hint=f"name it, or choose it with --target; {_has(folder.names)}",
    )


def _of(target: str, side: _Place) -> _Place:
    """A folder's locks of a target, of all its Pythons; a file is what it is."""
    wanted = re.compile(rf"pylock\.{re.escape(target)}(-py\d+)?\.toml")
    names = tuple(name for name in side.names if side.kind == "file" or wanted.fullmatch(name))
    return side._replace(names=names)


def _has(names: Sequence[str]) -> str:
    return f"locks here: {', '.join(names) or 'none'}"


def _pair(old: _Place, one: str, new: _Place, other: str) -> Pair:
    return Pair(
        (old.shown(one), new.shown(other)),
        old.read(one) if one in old.names else None,
        new.read(other) if other in new.names else None,
    )


def _here(word: str, root: Path) -> _Place | None:
    """The path of that name, else the lock of that target in `root`; None where there is neither."""
    path = root / word
    if os.path.isdir(path):
        return _folder(path, word)
    if os.path.lexists(path):
        return _file(path, word)
    lock = root / name_of(word)
    return _file(lock, lock.name) if _TARGET.fullmatch(word) and os.path.lexists(lock) else None


def _file(path: Path, shown: str) -> _Place:
    return _Place("file", (path.name,), lambda _: shown, lambda _: _read(path, shown), path.parent)


def _folder(path: Path, word: str) -> _Place:
    try:
        names = tuple(sorted(name for name in os.listdir(path) if is_name(name)))
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=word or ".") from None
    prefix = "" if word.rstrip("/") in {"", "."} else f"{word.rstrip('/')}/"

    def shown(name: str) -> str:
        return prefix + name

    return _Place("folder", names, shown, lambda name: _read(path / name, shown(name)), path)


def _there(revision: _Place, root: Path, git: Git) -> _Place:
    """What the working tree has where that file or folder of a revision lies."""
    assert revision.inside is not None
    top = (git.ask(["-C", str(root), "rev-parse", "--show-toplevel"], None) or "").removesuffix("\n")
    if not top:
        raise UsageError("a repository without a working tree has nothing to compare with", hint="name NEW too")
    path = Path(top, revision.inside)
    if not os.path.lexists(path) and revision.kind == "file":
        path = path.parent  # where it may have another name now
    shown = os.path.relpath(path, root.resolve())
    if os.path.isdir(path):
        return _folder(path, shown)
    return _file(path, shown) if os.path.lexists(path) else revision._replace(kind="folder", names=())


def _beside(other: _Place | None, root: Path, git: Git) -> Path:
    """Where a revision is read: in the folder of what it is compared with, if that is in the same repository."""
    folder = Path(os.path.abspath(other.folder)) if other and other.folder else root
    return folder if folder.is_relative_to(root) or _store(folder, git) == _store(root, git) else root


def _store(folder: Path, git: Git) -> Path | None:
    """Where the repository of a folder has its data, all its working trees together; None where there is none."""
    found = git.ask(["-C", str(folder), "rev-parse", "--git-common-dir"], None)
    return (folder / found.removesuffix("\n")).resolve() if found else None


def _revision(word: str, folder: Path, root: Path, git: Git) -> _Place:
    """What git calls that: a revision with all its locks, or one file or folder of it (`main:envs`)."""
    place = ["-C", str(folder)]
    safe = not word.startswith("-") and word.isprintable()
    found = (git.ask([*place, "rev-parse", "--verify", "--quiet", word], None) or "").strip() if safe else ""
    kind = (git.ask([*place, "cat-file", "-t", found], None) or "").strip() if found else ""
    if not kind:
        raise _nothing(word, folder, root, git, safe=safe)
    # Paths from the top of the repository: the others mean nothing to git in a bare one.
    below = (git.ask([*place, "rev-parse", "--show-prefix"], None) or "").removesuffix("\n")
    inside = _inside(word, below)
    if kind == "blob":
        name = (inside or word).rpartition("/")[2]
        return _Place(
            "file", (name,), lambda _: word, lambda _: _blob(git, place, found, word, folder / name), inside=inside
        )
    if kind == "tree":
        # Of a tree the whole is meant; of a revision the folder.
        tree, prefix = found, word if word.endswith((":", "/")) else f"{word}/"
    else:
        path, prefix = f"{found}:{below.rstrip('/')}", f"{word}:{below}"
        tree = (git.ask([*place, "rev-parse", "--verify", "--quiet", path], None) or "").strip()
    listed = (git.ask([*place, "ls-tree", "--name-only", "-z", "--full-tree", tree], None) or "") if tree else ""
    names = tuple(sorted(name for name in listed.split("\0") if is_name(name)))

    def shown(name: str) -> str:
        return prefix + name

    def read(name: str) -> Lock:
        return _blob(git, place, f"{tree}:{name}", shown(name), folder / name)

    return _Place("folder", names, shown, read, inside=inside if kind == "tree" else None)


def _inside(word: str, below: str) -> str | None:
    """The path in `REVISION:PATH`, from the top of the repository as `below` is; None where there is none."""
    found = _PATH.fullmatch(word)
    if found is None:
        return None
    path = found[1]
    if path in {".", ".."} or path.startswith(("./", "../")):
        path = os.path.normpath(below + path)
    return "" if path == "." else path


def _nothing(word: str, folder: Path, root: Path, git: Git, *, safe: bool) -> InputError:
    """What is said where nothing has that name; the caller raises it."""
    shown = word if word.isprintable() else ascii(word)[1:-1]
    if not safe:
        revision = f"git takes no revision `{shown}`"
    elif git.ask(["--version"], None) is None:
        revision = "git cannot be run, so no revision can be read"
    elif git.ask(["-C", str(folder), "rev-parse", "--git-dir"], None) is None:
        revision = "the directory is in no git repository that git lets you read"
    else:
        revision = f"git knows no revision `{shown}`"
    if word == "HEAD":
        return InputError(
            f"there is nothing to compare with: {revision}", hint="name two locks, or two directories, to compare"
        )
    target = f"{name_of(word)} is not here" if _TARGET.fullmatch(word) else "it cannot be the name of a target"
    return InputError(
        f"`{shown}` names no lock",
        notes=(f"there is no file or directory `{shown}`", target, revision),
        hint=_has(_folder(root, "").names) + "; a revision is written as git has it, like main or HEAD~3",
    )


def _blob(git: Git, place: list[str], name: str, shown: str, path: Path) -> Lock:
    text = git.ask([*place, "cat-file", "blob", name], None)
    if text is None:
        raise InputError("git cannot read it", where=shown)
    return _checked(text.encode(), path, shown)


def _read(path: Path, shown: str) -> Lock:
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be read: {getattr(error, 'strerror', None) or error}", where=shown) from None
    return _checked(data, path, shown)


def _checked(data: bytes, path: Path, shown: str) -> Lock:
    """The lock in `data`. Raises `InputError` with the way out for who wants to compare."""
    hint = "a lock is a pylock.toml; `mlpin lock` makes one"
    if path.name == "uv.lock":
        hint = "`uv export --format pylock.toml -o pylock.uv.toml` makes a lock of it that can be compared"
    try:
        return parsed(data, path, shown)
    except InputError as error:
        raise InputError(error.message, where=error.where, hint=hint) from None  # its own is for `mlpin lock`
