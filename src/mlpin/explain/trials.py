"""The few times that a project is solved again to say why one package is what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlpin.errors import MlpinError
from mlpin.outcome import Conflict, GaveUp, Resolution
from mlpin.resolver.solve import Effort

if TYPE_CHECKING:
    from mlpin.resolving import Asker, Question

SOLVES = 4
"""How often the project is solved again to explain one package; to shrink a clash, a few lines of it."""
_EFFORT = Effort(300, stubborn=False)


class Trials:
    """What is left of them."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker
        self.left = SOLVES

    def ask(self, question: Question) -> Resolution | Conflict | str:
        """The answer, or why there is none."""
        if not self.left:
            return f"not tried: {SOLVES} re-solves went to other versions"
        self.left -= 1
        try:
            outcome, _ = self._asker.solve(question, _EFFORT)
        except MlpinError as error:
            return f"not tried: {error.message}"
        said = "within the budget neither a solution with it was found nor a proof that there is none"
        return said if isinstance(outcome, GaveUp) else outcome
