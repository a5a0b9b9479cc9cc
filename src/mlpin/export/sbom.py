"""A lock as a CycloneDX bill of materials (JSON), made with `cyclonedx-python-lib`.

Knows how a locked package is named to those who look for vulnerabilities: by a package URL
(https://github.com/package-url/purl-spec, types `pypi` and `conda`), or by none where a package of PyPI's could be
mistaken for it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mlpin.errors import InputError
from mlpin.export.model import HASHES, Exported, index_of, public
from mlpin.export.requirements import direct, repository
from mlpin.lock.conda import SUFFIXES, LockedConda
from mlpin.lock.conda import name_in as conda_name
from mlpin.lock.file import digest
from mlpin.lock.locked import LockedFile, LockedPackage
from mlpin.requirement import name_in, normalise

if TYPE_CHECKING:
    from cyclonedx.model import ExternalReference, HashType, Property
    from cyclonedx.model.component import Component
    from packageurl import PackageURL

_ROOT = "lock"


def sbom(found: Exported) -> str:
    """The document (CycloneDX 1.6).

    The same lock gives the same bytes: there is no time in it, and its serial number is made from the lock's digest.
    Its root is the lock's file, since that does not say what its project is called.

    Raises `InputError` where the library is not installed.
    """
    try:
        from cyclonedx.model.bom import Bom, BomMetaData
        from cyclonedx.model.component import Component, ComponentType
        from cyclonedx.model.dependency import Dependency
        from cyclonedx.output.json import JsonV1Dot6
    except ImportError:
        raise InputError("the library for SBOMs is not installed", hint="pip install 'mlpin[sbom]'") from None
    from uuid import NAMESPACE_URL, uuid5

    root = Component(type=ComponentType.FILE, name=found.lock.path.name, bom_ref=_ROOT)
    components: list[Component] = []
    by_name: dict[str, list[Component]] = {}
    for package in found.packages:
        twins = [one for one in by_name.get(package.name, ()) if one.version == (package.version or None)]
        component = _component(package, found, len(twins))
        components.append(component)
        by_name.setdefault(package.name, []).append(component)
    conda = {one.name: _conda_component(one) for one in found.lock.conda}
    carriers = {name: conda[one.name] for name, one in found.lock.provided.items()}
    asked = {name for package in found.packages for name in map(normalise, package.dependencies)}
    # Where everything is asked for by something, in a circle, nothing says where it begins.
    edges = [(root, _named(found.roots.keys() | (by_name.keys() - asked) or by_name.keys(), by_name))]
    edges += [
        (component, _named(_needs(package), by_name, carriers))
        for package, component in zip(found.packages, components, strict=True)
    ]
    if conda:
        needed = {name for one in found.lock.conda for name in one.needs if name != one.name}
        asked_for = {conda_name(line.text) for line in found.lock.lines("requirements")}
        edges[0][1].extend(one for name, one in conda.items() if name in asked_for or name not in needed)
        edges += [(conda[one.name], [conda[name] for name in one.needs if name in conda]) for one in found.lock.conda]
        components += conda.values()
    bom = Bom(
        serial_number=uuid5(NAMESPACE_URL, f"sha256:{digest(found.lock.tables)}"),
        components=components,
        metadata=BomMetaData(component=root, properties=_properties("mlpin:target:", _target(found))),
        # Not by `register_dependency`, which looks through all that it has.
        dependencies=[
            Dependency(one.bom_ref, [Dependency(child.bom_ref) for child in children]) for one, children in edges
        ],
    )
    # Without a version: another mlpin says the same of the same lock.
    bom.metadata.tools.components.add(Component(type=ComponentType.APPLICATION, name="mlpin", bom_ref="mlpin"))
    made = json.loads(JsonV1Dot6(bom).output_as_string())
    made["metadata"].pop("timestamp", None)
    if not asked and not found.lock.ours:
        made.pop("dependencies", None)  # a tool that records no edges does not say that there are none
    return json.dumps(made, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _component(package: LockedPackage, found: Exported, number: int) -> Component:
    from cyclonedx.model.component import Component, ComponentType

    best = package.best(found.target) if found.target else None
    if best is None and len(package.files) == 1:
        best = package.files[0]
    own = {
        "build-line": package.build_line,
        "extras": ",".join(package.extras),
        "marker": package.marker,
        "requires-python": package.requires_python,
    }
    return Component(
        type=ComponentType.LIBRARY,
        name=package.name,
        version=package.version or None,
        bom_ref=f"{package.name}=={package.version}" + (f"#{number + 1}" if number else ""),
        purl=_purl(package, found),
        hashes=_hashes(best) if best else (),
        external_references=_references(package, found),
        properties=_properties("mlpin:", own),
    )


def _needs(package: LockedPackage) -> set[str]:
    return {normalise(name) for name in package.dependencies} | {name_in(text) for text in package.requires}


def _named(
    names: Iterable[str],
    by_name: Mapping[str, list[Component]],
    carriers: Mapping[str, Component] = MappingProxyType({}),
) -> list[Component]:
    """The components of these names; of what a conda package carries, that one."""
    return [one for name in names for one in by_name.get(name) or ([carriers[name]] if name in carriers else [])]


def _conda_component(package: LockedConda) -> Component:
    from cyclonedx.model import ExternalReference, ExternalReferenceType, XsUri
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.license import DisjunctiveLicense
    from packageurl import PackageURL

    kind = next(suffix.removeprefix(".") for suffix in SUFFIXES if package.url.endswith(suffix))
    where = {"build": package.build, "channel": package.channel, "subdir": package.subdir, "type": kind}
    hashes = _hash_types(package.hashes)
    return Component(
        type=ComponentType.LIBRARY,
        name=package.name,
        version=package.version,
        bom_ref=f"conda:{package.name}=={package.version}={package.build}",
        purl=None if package.is_local else PackageURL("conda", None, package.name, package.version, where),
        hashes=hashes,
        licenses=[DisjunctiveLicense(name=package.license)] if package.license else (),
        external_references=[
            ExternalReference(type=ExternalReferenceType.DISTRIBUTION, url=XsUri(public(package.url)), hashes=hashes)
        ],
        properties=_properties("mlpin:", {"provides": ",".join(package.provides)}),
    )


def _purl(package: LockedPackage, found: Exported) -> PackageURL | None:
    """None for what only lies on a disk."""
    from packageurl import PackageURL

    where: dict[str, str] = {}
    file = direct(package, found)
    if package.tree is not None:
        if package.tree.kind == "directory" or repository(package.tree).startswith("file:"):
            return None
        where["vcs_url"] = f"{package.tree.vcs}+{repository(package.tree)}@{package.tree.commit}"
    elif file is not None:
        if not file.url or file.url.startswith("file:"):
            return None
        where["download_url"] = public(file.url)
    elif index_of(package) not in {"", found.default_index}:
        where["repository_url"] = index_of(package)
    return PackageURL("pypi", None, package.name, package.version or None, where)


def _references(package: LockedPackage, found: Exported) -> list[ExternalReference]:
    """Where its files, or its source, can be had."""
    from cyclonedx.model import ExternalReference, ExternalReferenceType, XsUri

    if package.tree is not None:
        tree = package.tree
        if tree.kind == "directory" or repository(tree).startswith("file:"):
            return []
        return [ExternalReference(type=ExternalReferenceType.VCS, url=XsUri(repository(tree)), comment=tree.commit)]
    return [
        ExternalReference(
            type=ExternalReferenceType.DISTRIBUTION,
            url=XsUri(public(file.url or file.path)),
            hashes=_hashes(file),
        )
        for file in found.files(package)
    ]


def _hashes(file: LockedFile) -> list[HashType]:
    return _hash_types({name: file.hashes[name] for name in HASHES if name in file.hashes})


def _hash_types(hashes: Mapping[str, str]) -> list[HashType]:
    from cyclonedx.model import HashAlgorithm, HashType

    names = {name: name.replace("sha", "SHA-").replace("md5", "MD5") for name in hashes}
    return [HashType(alg=HashAlgorithm(names[name]), content=value) for name, value in hashes.items()]


def _target(found: Exported) -> dict[str, str]:
    """What the lock is for and what it needs, as texts."""
    target = {key: value for key, value in found.lock.stated._asdict().items() if value}
    floor = {f"needs-{key}": value for key, value in found.lock.floor.items()}
    environment = {} if target else {"environments": found.lock.environments}
    return {key: _text(value) for key, value in {**target, **floor, **environment}.items()}


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _properties(prefix: str, values: dict[str, str]) -> list[Property]:
    from cyclonedx.model import Property

    return [Property(name=prefix + key, value=value) for key, value in values.items() if value]
