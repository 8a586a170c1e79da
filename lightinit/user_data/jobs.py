"""What of user data is to be executed, in which order, and where the mark of each is.

It executes nothing. The mark of a part is named by its content: so a document that has changed
cannot execute again what was executed, wherever it is now.
"""

from __future__ import annotations

import hashlib
from typing import Dict, List, Sequence

from lightinit.errors import ProvisioningError
from lightinit.host.system import System
from lightinit.model import NamedTuple
from lightinit.user_data import find_kind
from lightinit.user_data.kept import FOLDER, Kept
from lightinit.user_data.parts import Part
from lightinit.user_data.pieces import PER_BOOT, PER_INSTANCE, PER_ONCE

# Beside the marks of the instance. Forgetting the mark of the module also removes the marks whose
# names begin with its name and a plus sign.
MARKS = FOLDER + "/sem/module.custom_data+"
# In the life of the disk, whatever the instance.
ONCE_MARKS = "/var/lib/lightinit/sem/module.custom_data+"
# stages/config.py looks for it: the module then runs at each boot.
EACH_BOOT_MARK = MARKS + "each-boot"
EARLY = "#cloud-boothook"
RUNCMD = "runcmd"


class ScriptJob(NamedTuple):
    """One script to execute.

    Attributes:
        which: ``custom data`` or ``user data``.
        part: the script.
        mark: the path of its mark.
        script: the path of the file that is executed.
        unit: the beginning of its unit's name.
        each_boot: whether a mark of an earlier boot is ignored.
    """

    which: str
    part: Part
    mark: str
    script: str
    unit: str
    each_boot: bool

    @property
    def name(self) -> str:
        """The name for messages."""
        return self.part.name

    def check(self) -> None:
        """Refuse what cannot be executed. This does not look at the machine.

        Raises:
            ProvisioningError: why.
        """
        self.part.handler.check(self.name, self.part.kind, self.part.data)


def check_decoded(kept: Kept) -> None:
    """Refuse data that could not be decoded.

    Raises:
        ProvisioningError: why.
    """
    if kept.problem is not None:
        raise ProvisioningError(
            "custom data cannot be decoded",
            which=kept.name,
            why=kept.problem,
            hint="give it as base64; what the platform gave is in %s" % kept.path,
        )


def plan(kept: Kept, parts: Sequence[Part], each_boot: bool) -> List[ScriptJob]:
    """The jobs of one document: its boothooks, then its other scripts. A document that is no
    container is a job in any case; :meth:`ScriptJob.check` refuses one that is no script.

    Args:
        kept: the document.
        parts: its parts.
        each_boot: whether what says nothing else is executed at each boot.
    """
    base = kept.path.rpartition("/")[2]
    unit = "lightinit-" + base
    jobs: List[ScriptJob] = []
    seen: Dict[str, int] = {}
    for part in parts:
        again = part.frequency == PER_BOOT
        again = again or (each_boot and part.frequency not in (PER_INSTANCE, PER_ONCE))
        if part.handler.is_applied:
            continue
        if part.is_whole:
            jobs.append(
                ScriptJob(kept.name, part, MARKS + base, kept.path + "-script", unit, again)
            )
        elif part.handler.is_executed:
            seen[part.identity] = seen.get(part.identity, 0) + 1
            key = "%s.%d" % (part.identity[:24], seen[part.identity])
            mark = "%s%s.%s" % (MARKS, base, key)
            if part.frequency == PER_ONCE:
                mark = ONCE_MARKS + key
            script = "%s-script.%s" % (kept.path, key)
            number = "%s-%d" % (unit, len(jobs) + 1)
            jobs.append(ScriptJob(kept.name, part, mark, script, number, again))
    return sorted(jobs, key=lambda job: job.part.kind != EARLY)


def plan_commands(text: str) -> List[ScriptJob]:
    """The job of a cloud-config's ``runcmd``.

    Args:
        text: the commands as a script, or "".
    """
    if not text:
        return []
    data = text.encode("utf-8", "surrogateescape")
    identity = hashlib.sha256(data).hexdigest()
    handler, form = find_kind(data)
    part = Part(RUNCMD, form, data, "", PER_INSTANCE, handler, identity, False)
    mark = "%sruncmd.%s" % (MARKS, identity[:24])
    return [ScriptJob(RUNCMD, part, mark, FOLDER + "/runcmd-script", "lightinit-runcmd", False)]


def ask_for_each_boot(system: System, jobs: Sequence[ScriptJob]) -> None:
    """Let the module run at each boot, if a job needs that; or no longer.

    Raises:
        ProvisioningError: that cannot be written.
    """
    if any(job.part.frequency == PER_BOOT for job in jobs):
        system.write(EACH_BOOT_MARK, b"a part of the custom data or user data is per-boot\n")
    elif system.exists(EACH_BOOT_MARK):
        system.remove(EACH_BOOT_MARK)
