"""One version of a listing as a target sees it: a candidate with the files that fit, or a rejection with its reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from mlpin.candidate import Artifact, Candidate, Listing, Rejection, distribution
from mlpin.index.names import version as parsed
from mlpin.resolver import unfit
from mlpin.resolver.policy import Policy

if TYPE_CHECKING:
    from mlpin.resolver.rules import Rulebook
    from mlpin.target import Target


NEAR_RELEASES = 5
"""How many releases an older wheel may be behind a newer source archive and still go before it…"""
NEAR_DAYS = 365
"""… and how many days, where the index says when files were uploaded."""


def offer(
    listing: Listing,
    text: str,
    target: Target,
    policy: Policy,
    fits_python: Callable[[str], bool],
    rules: Rulebook | None,
) -> Candidate | Rejection:
    """The candidate that a version of a listing is on a target, or why it is none. `text` is the version."""
    name = listing.name
    files = listing.files(text, lambda tags: not tags or target.rank(tags) is not None)
    if not any(file.is_wheel for file in files):
        files = listing.versions[text]
    everything = files

    def rejected(kind: str, reason: str, remedy: str = "", fact: str = "") -> Rejection:
        return Rejection(name, text, kind, reason, remedy, fact)  # type: ignore[arg-type]

    if not files:
        return rejected("files", "has no file whose name can be read")
    if policy.absent:
        reasons = [policy.absent[file.url] for file in files if file.url in policy.absent]
        files = [file for file in files if file.url not in policy.absent]
        if not files:
            return rejected("files", reasons[0])
    cutoff = policy.cutoffs.get(name, policy.cutoff)
    if cutoff:
        files = [file for file in files if unfit.uploaded(file, listing.index_of(text)) < cutoff]
        if not files:
            return rejected("cutoff", f"uploaded after {cutoff}", "a later exclude-newer", "exclude-newer")
    if hashes := policy.hashes.get(name):
        files = [file for file in files if any(f"{kind}:{value}" in hashes for kind, value in file.hashes)]
        if not files:
            return rejected("hash", "none of its files has a hash that the manifest allows")
    fitting = [file for file in files if not file.requires_python or fits_python(file.requires_python)]
    if not fitting:
        return rejected(
            "python",
            f"needs Python {files[0].requires_python}",
            f"a target with Python {files[0].requires_python}",
            "python",
        )
    files = fitting
    in_force = [file for file in files if file.yanked is None]
    yanked = None if in_force else files[0].yanked
    files = in_force or files
    ranked = []
    sdists = []
    for file in files:
        if not file.is_wheel:
            sdists.append(file)
        elif (rank := target.rank(file.tags)) is not None:
            ranked.append((rank, _build_number(file.build), file))
    ranked.sort(key=lambda entry: (entry[0], entry[1], entry[2].filename))
    wheels = tuple(file for _, _, file in ranked)
    notes: tuple[str, ...] = ()
    if policy.source_only(name):
        if not sdists:
            return rejected(
                "binary-policy",
                "has no source archive, and no-binary asks for one",
                "no-binary without it",
                "no-binary",
            )
        wheels = ()
    elif policy.binary_only(name):
        sdists = []
    sdist = None if wheels else _best_sdist(sdists)
    if not wheels and sdist is None:
        if not any(file.is_wheel for file in files):
            if policy.binary_only(name) and everything:
                reason = "has no wheel, and only-binary asks for one"
                return rejected("binary-policy", reason, "only-binary without it", "only-binary")
            return rejected("files", "has no file that can be installed")
        return rejected("tags", *unfit.tags(files, target))
    if sdist is not None and not policy.source_only(name):
        others = [file for file in files if file.is_wheel]
        if others:
            reason, remedy, _ = unfit.tags(others, target)
            notes = (f"{reason}; its source archive is locked and must be built on the target", remedy)
        else:
            notes = ("it is published as a source archive only, which must be built on the target", "")
    if rules is not None:
        refused = rules.refuses(name, text, listing.versions)
        if refused is None and sdist is not None and not policy.source_only(name):
            refused = rules.refuses_source(name, text)
        if refused is not None:
            return refused
    spare = next((file for file in files if file.is_wheel), None) if sdist is not None else None
    index = listing.index_of(text)
    return Candidate(distribution(name), parsed(text), wheels, sdist, index, yanked, notes=notes, spare=spare)


def _build_number(build: str) -> tuple[int, str]:
    """For sorting wheels of one rank: the highest build tag first (PEP 427)."""
    digits = len(build) - len(build.lstrip("0123456789"))
    return (-int(build[:digits] or 0), build[digits:])


def _best_sdist(files: Sequence[Artifact]) -> Artifact | None:
    return min(files, key=lambda file: (not file.filename.endswith(".tar.gz"), file.filename), default=None)


def near(candidate: Candidate, newer: Candidate) -> bool:
    """Whether a release with wheels is recent enough to go before a newer source archive."""
    if candidate.version.is_prerelease or all(file.tags.endswith("-any") for file in candidate.wheels):
        return False
    mine = candidate.wheels[0].upload_time
    theirs = newer.sdist.upload_time if newer.sdist else ""
    return not (mine and theirs) or unfit.days_between(mine, theirs) <= NEAR_DAYS
