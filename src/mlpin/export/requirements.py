"""A lock as a requirements file with hashes, which pip and uv install.

Knows the lines that pip's file format has for each kind of package, and what pip cannot do with hashes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from mlpin.errors import InputError
from mlpin.export.model import Exported, digest_of, public
from mlpin.index import names
from mlpin.lock.locked import LockedFile, LockedPackage, LockedTree
from mlpin.report.wrap import wrapped

_SCP = re.compile(r"([\w.-]+@[\w.-]+):(?!//)(.+)")
"""`git@host:owner/name`, which no URL is."""
_UNSAFE = re.compile(r"\s(?=[-#;@\s])|^\s|\s$|[\[\]$]")


def requirements(found: Exported, *, hashes: bool = True) -> str:
    """The file, to be used in the lock's folder: paths in it are relative to that. Raises `InputError`."""
    blocks = ["\n".join(_header(found, hashes=hashes))]
    if options := _indexes(found):
        blocks.append("\n".join(options))
    via = found.via
    lines = [text for package in found.packages for text in _block(package, found, via.get(package.name, ()), hashes)]
    if lines:
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def remarks(found: Exported, *, hashes: bool = True) -> list[str]:
    """What must be known to use the file, each a sentence or two without a full stop at the end."""
    said = []
    if found.lock.conda:
        file = found.lock.conda_file
        first = file[0] if file else "what `mlpin export --format conda-explicit` writes"
        names = sorted(found.lock.provided)
        some = ", ".join(names[:5]) + (", …" if names[5:] else "")
        brings = f" bring {some} along" if names else " come before these"
        said.append(f"install {first} before: its conda packages{brings}")
    if hashes and (unhashed := _unhashed(found)):
        said.append(
            f"pip refuses these under --require-hashes, as the lock has no hash for them: {', '.join(unhashed)}; "
            "install with --no-require-hashes (pip 26.3 or newer), or export with --no-hashes"
        )
    if unknown := [package.name for package in found.packages if _from_unknown_index(package, found)]:
        said.append(
            f"the lock does not say which index these come from: {', '.join(dict.fromkeys(unknown))}; "
            "they are looked for where pip is told to look"
        )
    return said


def requirement(package: LockedPackage, found: Exported) -> str:
    """The line of a package, without marker and hashes. Raises `InputError` for a path that no line can hold."""
    extras = f"[{','.join(package.extras)}]" if package.extras else ""
    if package.tree is not None:
        return _of_tree(package, package.tree, extras, found)
    file = direct(package, found)
    if file is None:
        return f"{package.name}{extras}{_version(package, found)}"
    if file.url:
        return f"{package.name}{extras} @ {public(file.url.partition('#')[0])}{_part(file.subdirectory)}"
    return f"{_path(file.path, found)}{extras}{_part(file.subdirectory)}"


def direct(package: LockedPackage, found: Exported) -> LockedFile | None:
    """The one file that stands for a package which no index has; None where an index has it, or the file is not one."""
    if package.index and package.version:
        return None
    files = found.files(package)
    best = package.best(found.target) if len(files) > 1 else None
    return files[0] if len(files) == 1 else best if found.target else None


def _version(package: LockedPackage, found: Exported) -> str:
    """`===` where another index may have a build of the version with a label: `==1.0` admits 1.0+cu126.

    That compares texts (PEP 440), so the version is spelled as the files have it.
    """
    if "+" in package.version or len(found.indexes) < 2 or not package.version:
        return f"=={package.version}" if package.version else ""
    stated = names.read(package.files[0].name, package.name) if package.files else ""
    return f"==={package.version if isinstance(stated, str) else stated.version}"


def repository(tree: LockedTree) -> str:
    """The URL of a repository, as `git+URL` has it; a path starts with the folder of the lock (`${PWD}`)."""
    if match := _SCP.fullmatch(tree.place):
        return public(f"ssh://{match[1]}/{match[2]}")
    if "://" in tree.place:
        return public(tree.place)
    return f"file://{public(tree.place)}" if tree.place.startswith("/") else "file://${PWD}/" + public(tree.place)


def _header(found: Exported, *, hashes: bool) -> list[str]:
    purpose = f", for {found.made_for}" if found.made_for else ""
    made = f"Made by `mlpin export` from {found.lock.path.name}{purpose}. Install it in the lock's folder:"
    free = bool(_unhashed(found))
    strategy = " --index-strategy unsafe-best-match" if len(found.indexes) > 1 else ""
    strict = " --require-hashes" if hashes and not free else ""
    lenient = " --no-require-hashes" if hashes and free else ""
    uv, file = "uv pip sync", "requirements.txt"
    if found.lock.conda:
        uv, file = "uv pip install --no-deps", f"-r {file}"  # `sync` takes away what conda has installed
    commands = [
        f"  pip install --no-deps{strict}{lenient} -r requirements.txt",
        f"  {uv}{strict}{strategy} {file}",
    ]
    lines = wrapped(made, "# ", "# ") + [f"# {command}" for command in commands]
    notes = remarks(found, hashes=hashes)
    if len(found.indexes) > 1:
        notes.insert(0, "`===` keeps a build with a label (1.0+cu126) from standing in for 1.0")
        if hashes:
            notes.insert(0, "the hashes keep each package from coming from another index than it was locked from")
    for note in notes:
        lines += ["#", *wrapped(f"{note[0].upper()}{note[1:]}.", "# ", "# ")]
    return lines


def _indexes(found: Exported) -> list[str]:
    """The options for indexes. That of the default one is left out where it is the first: it may have a mirror."""
    lines = [
        f"{'--extra-index-url' if position else '--index-url'} {index}" for position, index in enumerate(found.indexes)
    ]
    return lines[1:] if found.indexes and found.indexes[0] == found.default_index else lines


def _block(package: LockedPackage, found: Exported, via: Sequence[str], hashes: bool) -> Iterator[str]:
    line = requirement(package, found)
    if package.marker:
        line += f" ; {package.marker}"
    wanted = []
    if hashes and package.tree is None:
        one = direct(package, found)
        files = [one] if one else found.files(package)
        wanted = sorted({f"--hash={name}:{digest}" for name, digest in map(digest_of, files) if name})
    yield " \\\n    ".join([line, *wanted])
    if len(via) == 1:
        yield f"    # via {via[0]}"
    elif via:
        yield "    # via"
        yield from (f"    #   {name}" for name in via)


def _of_tree(package: LockedPackage, tree: LockedTree, extras: str, found: Exported) -> str:
    if tree.kind == "vcs":
        commit = f"@{public(tree.commit)}" if tree.commit else ""
        return f"{package.name}{extras} @ {tree.vcs or 'git'}+{repository(tree)}{commit}{_part(tree.subdirectory)}"
    place = "/".join(part for part in (tree.place, tree.subdirectory) if part)
    return f"{'-e ' if tree.editable else ''}{_path(place, found)}{extras}"


def _part(subdirectory: str) -> str:
    return f"#subdirectory={public(subdirectory)}" if subdirectory else ""


def _path(path: str, found: Exported) -> str:
    if _UNSAFE.search(path):
        raise InputError(
            f"the path `{path}` cannot stand in a requirements file",
            where=found.lock.shown,
            hint="rename it, or install from the lock itself",
        )
    return path if path.startswith(("/", "./", "../")) else f"./{path}"


def _unhashed(found: Exported) -> list[str]:
    """The packages for which the lock has no hash."""
    names = [
        package.name
        for package in found.packages
        if package.tree is not None or not any(digest_of(file)[0] for file in found.files(package))
    ]
    return list(dict.fromkeys(names))


def _from_unknown_index(package: LockedPackage, found: Exported) -> bool:
    return package.tree is None and not package.index and direct(package, found) is None
