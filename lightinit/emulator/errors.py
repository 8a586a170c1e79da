"""What the emulator raises on purpose. It knows no protocol."""

from __future__ import annotations

from typing import List, Sequence


class EmulatorError(Exception):
    """The emulator cannot do what it was asked to do; the text says what, and what to do next."""


class ScenarioError(EmulatorError):
    """A scenario or an instance file is not valid.

    Args:
        where: the file's path, or the scenario's name.
        problems: one sentence for each thing that is wrong, each naming its place and the remedy.
    """

    def __init__(self, where: str, problems: Sequence[str]) -> None:
        self.where = where
        self.problems: List[str] = list(problems)
        super().__init__("\n".join("%s: %s" % (where, problem) for problem in self.problems))
