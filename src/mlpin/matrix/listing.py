"""Release files that no index lists, as the listing of an index."""

from __future__ import annotations

from mlpin.candidate import Artifact, Listing
from mlpin.matrix.matrix import Matrix

ORIGIN = "matrix"
"""Stands for the index of what the matrix lists."""


def listing(matrix: Matrix, name: str) -> Listing | None:
    """What the matrix knows of a project's release files; None where it knows of none."""
    from urllib.parse import quote

    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    if name in matrix.listings:
        return matrix.listings[name]
    versions: dict[str, list[Artifact]] = {}
    for release in matrix.wheels(name):
        hashes = dict(release.hashes)
        for filename in release.files:
            try:
                _, version, build, _ = parse_wheel_filename(filename)
            except InvalidWheelFilename:
                continue
            known = hashes.get(filename)
            versions.setdefault(str(version), []).append(
                Artifact(
                    filename,
                    f"{release.url}/{quote(filename)}",
                    (("sha256", known),) if known else (),
                    release.requires_python,
                    tags="-".join(filename.removesuffix(".whl").split("-")[-3:]),
                    build="".join(map(str, build)),
                )
            )
    found = Listing(name, ORIGIN, {version: tuple(files) for version, files in versions.items()}) if versions else None
    matrix.listings[name] = found
    return found
