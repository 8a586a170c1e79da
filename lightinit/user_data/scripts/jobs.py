"""What of user data is to be executed, in which order, and where the mark of each is.

It executes nothing. The mark of a part is named by its content: so a document that has changed
cannot execute again what was executed, wherever it is now.

The order is cloud-init's: early in each boot boothooks and ``bootcmd``; late, parts that are
per-once, per-boot and per-instance, then the other scripts; each of these by the names of their
files. ``runcmd`` is one of the last, a file of that name. Source: cloud-init's documentation,
"Module reference" (the modules scripts_per_once, scripts_per_boot, scripts_per_instance,
scripts_user and runcmd), and cloud-init 22.4.2, which sorts the names of the files.
"""

from __future__ import annotations

import string
from typing import Dict, List, Sequence, Tuple

from lightinit.host.system import System
from lightinit.libraries import sha256
from lightinit.model import NamedTuple, repr_without
from lightinit.user_data import find_kind
from lightinit.user_data.kept import FOLDER, Kept
from lightinit.user_data.parts import Part
from lightinit.user_data.pieces import PER_BOOT, PER_INSTANCE, PER_ONCE

# Beside the marks of the instance. Forgetting the mark of the module also removes the marks whose
# names begin with its name and a plus sign.
MARKS = FOLDER + "/sem/module.scripts+"
EARLY_MARKS = FOLDER + "/sem/module.bootcmd+"
# In the life of the disk, whatever the instance.
ONCE_MARKS = "/var/lib/lightinit/sem/module.scripts+"
# stages/selection/module_list.py looks for it: the module then runs at each boot.
EACH_BOOT_MARK = MARKS + "each-boot"
# The marks of earlier versions, in which the module custom_data executed scripts.
EARLIER_MODULE = "module.custom_data+"
EARLY = "#cloud-boothook"
RUNCMD, BOOTCMD = "runcmd", "bootcmd"
ORDER = (EARLY, PER_ONCE, PER_BOOT, PER_INSTANCE, "")
# What cloud-init leaves of a file's name.
FILE_CHARACTERS = "_-.()" + string.digits + string.ascii_letters
PART = "part-%03d"


class ScriptJob(NamedTuple):
    """One script to execute.

    Attributes:
        which: ``custom data``, ``user data`` or ``runcmd``.
        part: the script.
        mark: the path of its mark.
        script: the path of the file that is executed.
        unit: the beginning of its unit's name.
        each_boot: whether a mark of an earlier boot is ignored.
        place: what it is sorted by.
    """

    which: str
    part: Part
    mark: str
    script: str
    unit: str
    each_boot: bool
    place: Tuple[int, str] = (0, "")

    @property
    def name(self) -> str:
        """The name for messages."""
        return self.part.name

    @property
    def earlier_mark(self) -> str:
        """The path of the mark that earlier versions have left."""
        folder, _, name = self.mark.rpartition("/")
        return "%s/%s%s" % (folder, EARLIER_MODULE, name.partition("+")[2])

    def check(self) -> None:
        """Refuse what cannot be executed. This does not look at the machine.

        Raises:
            ProvisioningError: why.
        """
        self.part.handler.check(self.name, self.part.kind, self.part.data)


class ConfigScripts(NamedTuple):
    """What a cloud-config has executed late. It may have secrets.

    Attributes:
        commands: its ``runcmd`` as a script, or "".
        each_boot: whether that is executed at each boot.
        written: scripts that its ``write_files`` has put into folders of cloud-init: when each is
            executed, such as ``per-boot``; the path; the content.
    """

    commands: str = ""
    each_boot: bool = False
    written: Tuple[Tuple[str, str, bytes], ...] = ()

    def __repr__(self) -> str:
        return repr_without(self, "commands", "written")


NO_SCRIPTS = ConfigScripts()


def plan(
    kept: Kept, parts: Sequence[Part], each_boot: bool, given: ConfigScripts = NO_SCRIPTS
) -> List[ScriptJob]:
    """The jobs of one document, in the order in which they run; without its boothooks.

    Args:
        kept: the document.
        parts: its parts.
        each_boot: whether what says nothing else is executed at each boot.
        given: what its cloud-config says.
    """
    jobs = [each for each in _plan_parts(kept, parts, each_boot) if each.part.kind != EARLY]
    jobs += [_plan_written(*each) for each in given.written]
    if given.commands:
        jobs.append(_plan_commands(RUNCMD, given.commands, given.each_boot))
    return sorted(jobs, key=lambda job: job.place)


def plan_early(kept: Kept, parts: Sequence[Part], commands: str = "") -> List[ScriptJob]:
    """What of one document runs early in each boot: its boothooks, then ``bootcmd``.

    Args:
        kept: the document.
        parts: its parts.
        commands: the ``bootcmd`` of a cloud-config as a script, or "".
    """
    jobs = [each for each in _plan_parts(kept, parts, False) if each.part.kind == EARLY]
    jobs = [each._replace(mark=each.mark.replace(MARKS, EARLY_MARKS)) for each in jobs]
    if commands:
        jobs.append(_plan_commands(BOOTCMD, commands))
    return jobs


def _plan_parts(kept: Kept, parts: Sequence[Part], each_boot: bool) -> List[ScriptJob]:
    base = kept.path.rpartition("/")[2]
    unit = "lightinit-" + base
    jobs: List[ScriptJob] = []
    seen: Dict[str, int] = {}
    for number, part in enumerate(parts, 1):
        again = part.frequency == PER_BOOT
        again = again or (each_boot and part.frequency not in (PER_INSTANCE, PER_ONCE))
        if not part.handler.is_executed:
            continue
        place = _place(part, number)
        if part.is_whole:
            mark, script = MARKS + base, kept.path + "-script"
            jobs.append(ScriptJob(kept.name, part, mark, script, unit, again, place))
            continue
        seen[part.identity] = seen.get(part.identity, 0) + 1
        key = "%s.%d" % (part.identity[:24], seen[part.identity])
        mark = "%s%s.%s" % (MARKS, base, key)
        if part.frequency == PER_ONCE:
            mark = ONCE_MARKS + key
        script = "%s-script.%s" % (kept.path, key)
        name = "%s-%d" % (unit, len(jobs) + 1)
        jobs.append(ScriptJob(kept.name, part, mark, script, name, again, place))
    return jobs


def _place(part: Part, number: int) -> Tuple[int, str]:
    """What a part is sorted by: when it runs, and the name of its file."""
    when = part.frequency
    if part.kind == EARLY:
        when = EARLY
    name = "".join(c for c in part.filename.replace("/", "_") if c in FILE_CHARACTERS)
    return ORDER.index(when), name or PART % number


def _plan_written(when: str, path: str, data: bytes) -> ScriptJob:
    """The job of a script that the document's ``write_files`` has written."""
    identity = sha256(path.encode("utf-8", "surrogateescape") + b"\n" + data).hexdigest()
    handler, form = find_kind(b"#!\n")  # whatever it is: the kind refuses what is none
    filename = path.rpartition("/")[2]
    name = "write_files (%s)" % path
    part = Part(name, form, data, "", when, handler, identity, False, filename)
    key = "written." + identity[:24]
    mark = (ONCE_MARKS if when == PER_ONCE else MARKS) + key
    script, unit = "%s/%s-script" % (FOLDER, key), "lightinit-written-" + identity[:8]
    return ScriptJob(RUNCMD, part, mark, script, unit, when == PER_BOOT, _place(part, 0))


def _plan_commands(name: str, text: str, each_boot: bool = False) -> ScriptJob:
    """The job of a list of commands: ``runcmd`` or ``bootcmd``."""
    data = text.encode("utf-8", "surrogateescape")
    identity = sha256(data).hexdigest()
    handler, form = find_kind(data)
    is_early = name == BOOTCMD
    frequency = PER_BOOT if is_early else PER_INSTANCE
    part = Part(name, form, data, "", frequency, handler, identity, False, name)
    marks = EARLY_MARKS if is_early else MARKS
    return ScriptJob(
        name,
        part,
        "%s%s.%s" % (marks, name, identity[:24]),
        "%s/%s-script" % (FOLDER, name),
        "lightinit-" + name,
        is_early or each_boot,
        (ORDER.index(""), name),
    )


def ask_for_each_boot(system: System, jobs: Sequence[ScriptJob]) -> None:
    """Let the module run at each boot, if a job needs that; or no longer.

    Raises:
        ProvisioningError: that cannot be written.
    """
    if any(job.each_boot for job in jobs):
        system.write(EACH_BOOT_MARK, b"a script of the custom data or user data is per-boot\n")
    elif system.exists(EACH_BOOT_MARK):
        system.remove(EACH_BOOT_MARK)
