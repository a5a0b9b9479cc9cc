"""Everything that mlpin refuses to do, as exceptions that carry what a user needs to go on.

An error knows what went wrong (`message`), where (`where`), what else is known (`notes`) and the
way out (`hint`). It does not know how it is shown: that is `report`'s work. A conflict is not an
error but an outcome (`mlpin.outcome`).
"""

from __future__ import annotations


class MlpinError(Exception):
    """The root of what `mlpin` raises on purpose. `exit_code` is the status of the process."""

    exit_code = 2
    kind = "error"

    def __init__(
        self,
        message: str,
        *,
        where: str | None = None,
        notes: tuple[str, ...] = (),
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.notes = notes
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


class UsageError(MlpinError):
    """An option or a combination of options that makes no sense."""

    kind = "usage"


class InputError(MlpinError):
    """A file of the user's that is missing, cannot be read, or says something impossible."""

    kind = "input"


class UnknownPackage(MlpinError):
    """A name that none of the indexes in question has."""

    exit_code = 1
    kind = "unknown-package"


class IndexUnavailable(MlpinError):
    """An index that could not be reached, refused us, or is not in the cache while offline."""

    exit_code = 3
    kind = "index"


class BadDistribution(MlpinError):
    """A file of an index that is not what its name promises, or that cannot be used safely."""

    exit_code = 1
    kind = "distribution"
