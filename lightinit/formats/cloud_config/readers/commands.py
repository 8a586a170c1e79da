"""``bootcmd`` and ``runcmd``: lists of commands, as one script for ``/bin/sh``."""

from __future__ import annotations

from typing import Any, List, Mapping, Optional, Tuple

from lightinit.formats.cloud_config.mistakes import Mistake
from lightinit.formats.cloud_config.readers.section import Section, kind_of, written
from lightinit.model import NamedTuple, repr_without

KEYS = ("bootcmd", "runcmd")
HEAD = "#!/bin/sh\n"
COLON = "a command with `: ` in it must be in quotes, or follow after `- |`"


class GivenCommands(NamedTuple):
    """The commands of a cloud-config. They may have secrets.

    Attributes:
        bootcmd: a script to run in each boot, early; "" if there is none.
        runcmd: a script to run once, late; "" if there is none.
    """

    bootcmd: str = ""
    runcmd: str = ""

    def __repr__(self) -> str:
        return repr_without(self, "bootcmd", "runcmd")


def read_commands(values: Mapping[str, Any]) -> Tuple[GivenCommands, List[Mistake]]:
    """Read the commands. One that is wrong is left out.

    A text is a line of the script, as it is. A list is a command with its arguments, each of which
    is quoted. As cloud-init writes it; only a number in a list is as it was written, ``0644``.

    Args:
        values: the keys of a cloud-config.
    """
    given = Section(values)
    return GivenCommands(_script(given, "bootcmd"), _script(given, "runcmd")), given.mistakes


def _script(given: Section, key: str) -> str:
    value = given.values.get(key)
    if isinstance(value, str) and value.strip():
        given.wrong(key, "it is text; taken as one command", "begin it with `- `", True)
        return "%s%s\n" % (HEAD, value)
    inner = Section({}, (key,), given.mistakes)
    lines = [_command(inner, at, each) for at, each in given.items(key)]
    found = [line for line in lines if line is not None]
    if not found:
        return ""
    return HEAD + "".join("%s\n" % line for line in found)


def _command(inner: Section, at: int, command: Any) -> Optional[str]:
    if command is None:  # a comment after the dash
        return None
    if isinstance(command, str):
        return command
    if isinstance(command, list):
        words = Section({}, (*inner.path, at), inner.mistakes)
        return " ".join(_quoted(words, number, each) for number, each in enumerate(command))
    remedy = "write a text, or a list of texts"
    if isinstance(command, dict):
        remedy = COLON
    inner.expected(at, "a command", command, remedy)
    return None


def _quoted(words: Section, at: int, word: Any) -> str:
    if isinstance(word, str):
        text = word
    elif isinstance(word, (int, float)) and not isinstance(word, bool):
        text = written(word)
    else:
        # What cloud-init makes of it; nobody means None and True.
        words.wrong(at, "an argument is %s" % kind_of(word), "put it in quotes", True)
        text = str(word)
    return "'%s'" % text.replace("'", "'\\''")
