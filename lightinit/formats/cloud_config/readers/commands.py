"""``bootcmd`` and ``runcmd``: lists of commands, as one script for ``/bin/sh``. And scripts that a
document brings without them: files that ``write_files`` puts into the folders whose scripts
cloud-init executes, and ``cloud_final_modules``, as far as it says that the scripts of user data
are executed at each boot.
"""

from __future__ import annotations

import posixpath
from typing import Any, List, Mapping, Optional, Tuple

from lightinit.formats.cloud_config.mistakes import Mistake
from lightinit.formats.cloud_config.readers.files import GivenFile, join_appended, read_files
from lightinit.formats.cloud_config.readers.section import Section, kind_of, written
from lightinit.model import NamedTuple, repr_without

KEYS = ("bootcmd", "runcmd")
KEYS_OF_SCRIPTS = ("cloud_final_modules",)
FOLDER = "/var/lib/cloud/scripts/"
PLACES = ("per-once", "per-boot", "per-instance")
EXECUTABLE = 0o100
SCRIPTS, ALWAYS = ("scripts-user", "scripts_user"), "always"
MODULES_REMEDY = "leave it out: `modules` and `final_modules` of lightinit.conf list them"
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


# -- scripts without them
# --------------------------------------------------------------------------------------------------


class GivenScripts(NamedTuple):
    """What a cloud-config says of scripts.

    Attributes:
        each_boot: whether scripts that say nothing else, and ``runcmd``, are executed at each boot.
        written: the files that ``write_files`` puts into a folder of scripts, as the boot has
            written them.
    """

    each_boot: bool = False
    written: Tuple[GivenFile, ...] = ()


def read_scripts(values: Mapping[str, Any]) -> Tuple[GivenScripts, List[Mistake]]:
    """Read what is to be executed besides ``runcmd``. Source: cloud-init's documentation, "Module
    reference" (the modules scripts_per_boot and scripts_user).

    Args:
        values: the keys of a cloud-config.
    """
    given = Section(values)
    each_boot, others = False, 0
    for _, each in given.items("cloud_final_modules"):
        is_always = isinstance(each, list) and len(each) == 2 and each[1] == ALWAYS
        if is_always and each[0] in SCRIPTS:
            each_boot = True
        elif each is not None and each not in SCRIPTS:
            others += 1
    if others:
        what = "modules have no effect here, but for `[scripts-user, always]`"
        given.wrong("cloud_final_modules", what, MODULES_REMEDY)
    files = join_appended(read_files(values)[0])
    written = tuple(each for each in files if place_of(each.path) and each.mode & EXECUTABLE)
    return GivenScripts(each_boot, written), given.mistakes


def place_of(path: str) -> str:
    """The one of PLACES that a file is for, by its path; "" if it is for none.

    Args:
        path: absolute, without . and ..
    """
    folder, _, name = path.rpartition("/")
    place = posixpath.basename(folder)
    return place if name and folder == FOLDER + place and place in PLACES else ""
