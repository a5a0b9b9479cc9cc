"""`conda-lock.yml`, version 1 of the unified format. Every category counts.

What `conda-lock render` writes (`conda-linux-64.lock`) is a list of URLs, which `conda_list` reads.
"""

from __future__ import annotations

from mlpin.errors import InputError
from mlpin.stack import document
from mlpin.stack.artifacts import conda_file, file_name, platform_of, subdir_of
from mlpin.stack.gathered import Gathered, printable
from mlpin.stack.model import Stack, Where

DEFAULT_SUBDIR = "linux-64"


def read(text: str, shown: str, where: Where) -> Stack:
    """The packages of the target's platform. Raises `InputError`."""
    lock = document.yaml(text, shown)
    version = lock.root.string("version")
    if version != "1":
        message = f"has version `{printable(version or '')}` of the format, and mlpin reads version 1"
        raise InputError(message, where=shown)
    packages = list(lock.entries(lock.root, "package"))
    stated = lock.root.table("metadata").strings("platforms") or ()
    there = list(dict.fromkeys((*stated, *(fields.string("platform") or "" for fields, _ in packages))))
    wanted = subdir_of(where.platform) if where.platform else DEFAULT_SUBDIR
    if wanted not in there and there:
        if where.platform:
            message, hint = f"has no packages for {wanted}", f"it has them for {printable(', '.join(there))}"
            raise InputError(message, where=shown, hint=hint)
        wanted = there[0]
    found = Gathered(shown, "conda-lock")
    for fields, line in packages:
        if fields.string("platform") != wanted:
            continue
        name, version, url = (fields.string(key) or "" for key in ("name", "version", "url"))
        manager = fields.string("manager")
        if manager == "pip":
            file = file_name(url)
            found.pypi(name, version, line, files=(file,) if file.endswith((".whl", ".tar.gz", ".zip")) else ())
        elif manager == "conda":
            stated_by_file = conda_file(file_name(url))
            build = fields.string("build") or (stated_by_file.build if stated_by_file else "")
            found.conda(name, version, build, line)
        else:
            raise fields.error("manager", "must be `conda` or `pip`")
    return found.stack(python=found.version("python"), platform=platform_of([wanted]))
