"""What the exports for conda's tools share: the conda packages of a lock, its channels as URLs, text as YAML.

Knows what may be written down of a conda package. Knows no form.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mlpin.errors import InputError
from mlpin.export.model import Exported, digest_of, public
from mlpin.lock.conda import LockedConda, name_in
from mlpin.lock.conda_file import subdir_of
from mlpin.lock.locked import LockedFile, LockedPackage

_NUMBER_LIKE = re.compile(r"[-+.\d][\d.eE_+:-]*")
"""What one of YAML's versions takes for a number, a date or a time."""


def packages(found: Exported, what: str) -> Sequence[LockedConda]:
    """The conda packages. Raises `InputError` where there is none: then another format is the right one."""
    if not found.lock.conda:
        raise InputError(
            f"the lock has no conda packages, so there is nothing for {what}",
            where=found.lock.shown,
            hint="its PyPI packages: `mlpin export --format requirements`",
        )
    return found.lock.conda


def subdir(found: Exported) -> str:
    """The platform as conda calls it. Raises `InputError` where the lock is for none that it has a name for."""
    from mlpin.conda.virtual import subdir as named

    return named(found.target.platform) if found.target else subdir_of(found.lock.conda)


def channels(found: Exported) -> Sequence[str]:
    """The URLs of the channels without a slash at the end, those first that are asked first.

    A lock has the URLs of files alone: a channel that no package is from has the URL of its neighbours; without any it
    is left out.
    """
    places: dict[str, set[str]] = {name: set() for name in found.lock.channels}
    for package in found.lock.conda:
        folder = package.url.rpartition("/")[0]
        places.setdefault(package.channel, set()).add(folder.removesuffix(f"/{package.subdir}"))
    known = [(name, url) for name, urls in places.items() for url in sorted(urls)]
    alias = next((url.removesuffix(f"/{name}") for name, url in known if url.endswith(f"/{name}")), "")
    urls: list[str] = []
    for name, own in places.items():
        urls += sorted(own) or ([name] if "://" in name else [f"{alias}/{name}"] if alias else [])
    return list(dict.fromkeys(public(url.rstrip("/")) for url in urls))


def specs(package: LockedConda) -> Mapping[str, str]:
    """What it depends on: version and build that are asked for by name, empty where any will do."""
    found: dict[str, str] = {}
    for text in package.depends:
        name = name_in(text)
        wanted = text.rpartition("::")[2].strip()[len(name) :].strip()
        if wanted or name not in found:
            found[name] = wanted
    return found


def files(found: Exported) -> Sequence[tuple[LockedPackage, LockedFile]]:
    """The distributions that an installer takes on the target, each with its file; those of `left_out` not."""
    return [(package, file) for package, file in _files(found) if file is not None and sha256(file)]


def _files(found: Exported) -> Iterator[tuple[LockedPackage, LockedFile | None]]:
    for package in found.packages:
        if package.applies(found.target):
            best = package.best(found.target) if found.target else None
            yield package, None if package.tree else best or next(iter(found.files(package)), None)


def sha256(file: LockedFile) -> str:
    """Its sha256; empty where the lock has none."""
    name, value = digest_of(file)
    return value if name == "sha256" else ""


def left_out(found: Exported) -> list[str]:
    """What is to be said of distributions that conda's lock formats have no place for."""
    names = [package.name for package, file in _files(found) if file is None or not sha256(file)]
    return [f"left out, as they come from a source tree or have no sha256: {', '.join(names)}"] if names else []


def yaml(value: Mapping[str, Any], comments: Sequence[str]) -> str:
    """The text of a YAML file. What looks like a number to any reader of YAML is quoted where it is text."""
    import yaml as writer

    class Dumper(writer.SafeDumper):
        def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT002
            super().increase_indent(flow, False)

        def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
            return True

    def text(dumper: writer.SafeDumper, data: str) -> Any:
        style = "'" if _NUMBER_LIKE.fullmatch(data) else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", data, style=style)

    Dumper.add_representer(str, text)
    made = writer.dump(dict(value), Dumper=Dumper, sort_keys=False, allow_unicode=True, width=1000)
    return "".join(f"# {line}\n" for line in comments) + str(made)
