"""Revisions of git repositories: fetched into bare stores, read without a checkout. No code of a repository runs."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from mlpin.errors import IndexUnavailable, InputError
from mlpin.index.url import strip_credentials
from mlpin.requirement import VcsSource

_COMMIT = re.compile(r"[0-9a-f]{40}")
_SCHEMES = ("https", "http", "ssh", "git", "file")
_OF_ONE_REPOSITORY = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_WORK_TREE",
)
"""What git tells a hook of the repository that it runs in; every repository that is read here is found anew."""


class Commit(NamedTuple):
    """One commit in a store on this machine; `prefix` is the directory in it that is read."""

    git: Git
    store: Path
    id: str
    prefix: str = ""

    def text(self, path: str) -> str | None:
        """The text of a file of the commit; None where it has none."""
        return self.git.ask(["show", f"{self.id}:{self.prefix}{path}"], self.store)


class Git:
    """The git command. `cache` keeps a store for each commit; None keeps nothing."""

    def __init__(self, cache: Path | None, environ: Mapping[str, str]) -> None:
        self._cache = cache
        self._environ = {
            **{key: value for key, value in environ.items() if key not in _OF_ONE_REPOSITORY},
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ALLOW_PROTOCOL": ":".join(_SCHEMES),
            "GIT_CONFIG_NOSYSTEM": "1",
            "LC_ALL": "C",
        }

    @contextmanager
    def commit(
        self, source: VcsSource, *, offline: bool, shown: str, tell: Callable[[str, str], None]
    ) -> Iterator[Commit]:
        """The commit that a revision is, fetched unless the cache has it. `shown` is the URL for messages.

        Raises `InputError` where there is no such revision, `IndexUnavailable` where it cannot be fetched.
        """
        scheme, there, _ = source.url.partition("://")
        if there and scheme not in _SCHEMES:
            raise InputError(f"`git+{scheme}` is no way to fetch a repository", hint=f"one of: {', '.join(_SCHEMES)}")
        prefix = f"{source.subdirectory.strip('/')}/" if source.subdirectory else ""
        kept = self._stores(source)
        known = kept / source.revision if kept is not None and _COMMIT.fullmatch(source.revision) else None
        if known is not None and (known / "HEAD").exists():
            yield Commit(self, known, source.revision, prefix)
            return
        if offline:
            raise IndexUnavailable("not in the cache, and --offline forbids to fetch it", where=shown)
        tell("page", shown)
        beside = kept if kept is not None and os.access(kept, os.W_OK) else None
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=beside) as scratch:
            # Fetched beside its place and renamed into it: any number of processes may share the cache.
            store = Path(scratch) / "git"
            if self.ask(["init", "--bare", "--quiet", str(store)], None) is None:
                raise InputError("git is needed to read a repository, and it cannot be run", hint="install git")
            commit = self._fetch(source, store, shown)
            yield Commit(self, store, commit, prefix)
            if beside is not None:
                with suppress(OSError):  # another process was first
                    store.rename(beside / commit)

    def ask(self, arguments: list[str], store: Path | None) -> str | None:
        """What git prints; None where it fails."""
        done = self._run(arguments, store)
        return done.stdout if done.returncode == 0 else None

    def _stores(self, source: VcsSource) -> Path | None:
        """The directory of a repository's commits in the cache; None where nothing can be kept."""
        if self._cache is None:
            return None
        import hashlib

        kept = self._cache / hashlib.sha256(strip_credentials(source.url).encode()).hexdigest()[:24]
        try:
            kept.mkdir(parents=True, exist_ok=True)
        except OSError:
            return None
        return kept

    def _fetch(self, source: VcsSource, store: Path, shown: str) -> str:
        revision = source.revision
        if revision.startswith("-") or source.url.startswith("-"):
            raise InputError(f"`{revision or shown}` is no revision")
        # Abbreviated and unadvertised commits are not served by themselves: then everything is fetched.
        everything = ["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"]
        tries = (
            (["--no-tags", "--depth=1", source.url, revision or "HEAD"], "FETCH_HEAD"),
            (["--tags", source.url, *everything], revision),
        )
        problem, fetched = "", False
        for arguments, name in tries:
            done = self._run(["fetch", "--quiet", *arguments], store)
            fetched = done.returncode == 0
            if fetched:
                for candidate in (name, f"refs/remotes/origin/{revision}"):
                    commit = self.ask(["rev-parse", "--verify", "--quiet", f"{candidate}^{{commit}}"], store)
                    if commit:
                        return commit.strip()
            problem = _last_line(done.stderr) or problem
        if fetched:
            raise InputError(f"the repository {shown} has no revision `{revision or 'HEAD'}`")
        raise IndexUnavailable(f"git cannot fetch: {problem}", where=shown, hint="check the URL and your access to it")

    def _run(self, arguments: list[str], store: Path | None) -> subprocess.CompletedProcess[str]:
        command = ["git", "-c", "core.hooksPath=/dev/null", *(["--git-dir", str(store)] if store else []), *arguments]
        try:
            return subprocess.run(
                command,
                capture_output=True,
                text=True,
                errors="replace",
                env=self._environ,
                stdin=subprocess.DEVNULL,
                check=False,
            )
        except OSError:
            return subprocess.CompletedProcess(command, 127, "", "git cannot be run")


def _last_line(text: str) -> str:
    """The last line of git's words, without credentials."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return re.sub(r"//[^/@\s]*@", "//****@", lines[-1]) if lines else ""
