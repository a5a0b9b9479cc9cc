"""A lock as constraints for `pip install -c`: versions alone, which restrict and ask for nothing."""

from __future__ import annotations

from mlpin.export.model import Exported
from mlpin.export.requirements import direct, requirement
from mlpin.report.wrap import wrapped


def constraints(found: Exported) -> str:
    """The file. A constraint has no extras, no hashes and no path; what comes from a URL is one by that."""
    purpose = f", for {found.made_for}" if found.made_for else ""
    lines = wrapped(f"Made by `mlpin export` from {found.lock.path.name}{purpose}.", "# ", "# ")
    lines += ["#   pip install -c constraints.txt PACKAGE", ""]
    for package in found.packages:
        marker = f" ; {package.marker}" if package.marker else ""
        # Other tools may leave the index out of a lock; then a URL does not say that a package is on none.
        file = direct(package, found) if found.lock.ours else None
        if (package.tree and package.tree.kind == "vcs") or (file and file.url):
            lines.append(requirement(package._replace(extras=()), found) + marker)
        elif package.version:
            lines.append(f"{package.name}=={package.version}{marker}")
        else:
            lines.append(f"# {package.name}: the lock states no version of it")
    return "\n".join(lines) + "\n"
