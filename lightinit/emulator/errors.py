"""The errors that the emulator raises. They know no protocol."""

from __future__ import annotations

from typing import List, Sequence


class EmulatorError(Exception):
    """The emulator cannot do what the caller asked; the text says why, and what to do."""


class ScenarioError(EmulatorError):
    """A scenario or an instance file is not valid.

    Args:
        where: the file's path, or the scenario's name.
        problems: one sentence for each mistake, with its place and the remedy.
    """

    def __init__(self, where: str, problems: Sequence[str]) -> None:
        self.where = where
        self.problems: List[str] = list(problems)
        super().__init__("\n".join("%s: %s" % (where, problem) for problem in self.problems))
