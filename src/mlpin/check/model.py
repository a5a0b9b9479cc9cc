"""Drift: one thing that is not as the lock has it, whatever the lock was compared with.

Values only. Each comparison makes them, each form of report shows them; neither knows of the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from mlpin.index.url import redacted_in

if TYPE_CHECKING:
    from mlpin.check.fleet import Fleet

Check = Literal["manifest", "lock", "matrix", "env", "host", "index", "image", "fleet"]
"""Which comparison found it."""
Severity = Literal["error", "warning", "note"]
"""An error fails the check, a warning fails it with --strict, a note never does."""


class Drift(NamedTuple):
    """One difference. `message` is a whole sentence without a full stop, and needs none of the other fields."""

    check: Check
    kind: str
    """What kind of difference, for programs: `missing`, `version`, `build`, …; the report's schema lists them."""
    message: str
    package: str = ""
    expected: str = ""
    """What the lock (or, of a lock, the manifest) says."""
    found: str = ""
    file: str = ""
    """Where to look, as messages name it: the manifest's line, the lock's package, the Dockerfile's FROM."""
    line: int = 0
    severity: Severity = "error"
    hint: str = ""
    """The way out, where it is not the same for all of a kind."""

    @property
    def shown(self) -> Drift:
        """The same without credentials and tokens in any URL."""
        return self._replace(
            message=redacted_in(self.message),
            expected=redacted_in(self.expected),
            found=redacted_in(self.found),
            hint=redacted_in(self.hint),
        )

    @property
    def place(self) -> str:
        """`file:line`, `file`, or nothing."""
        return f"{self.file}:{self.line}" if self.file and self.line else self.file


class Checked(NamedTuple):
    """What `mlpin check` came to."""

    checks: Sequence[Check]
    """Those that were made, in order."""
    locks: Sequence[str]
    """The locks that were looked at, as messages name them."""
    packages: int
    """In all of them together."""
    drift: Sequence[Drift]
    strict: bool = False
    fleet: Fleet | None = None
    """The same drift in groups, where many machines were compared."""
    environment: str = ""
    """The environment that was compared, as messages name it."""
    command: str = "mlpin lock"
    """What makes the locks anew."""
    options: Sequence[str] = ()
    """The options for that command which the locks were made with and nobody says but they."""
    conda_file: str = ""
    """The file with the conda packages of the one lock, as messages name it; empty where it has none."""

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        failing = {"error", "warning"} if self.strict else {"error"}
        return not any(one.severity in failing for one in self.drift)
