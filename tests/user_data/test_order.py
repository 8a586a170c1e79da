"""The order of scripts, and what is told of one that takes long."""

from __future__ import annotations

import logging
from typing import Any, List

from lightinit.host.system import System
from lightinit.user_data.kept import FOLDER, Kept
from lightinit.user_data.parts import collect
from lightinit.user_data.scripts import jobs
from lightinit.user_data.scripts.jobs import ScriptJob
from lightinit.user_data.scripts.runs import Waiting
from tests.lib.mime_document import multipart

RUNCMD = "#!/bin/sh\necho runcmd\n"


def plan(root: Any, is_early: bool, *parts: str) -> List[ScriptJob]:
    data = multipart(*parts)
    found = collect(System(str(root)), "custom data", data, lambda *_: b"", dict).parts
    kept = Kept("custom data", FOLDER + "/custom-data", data)
    if is_early:
        return jobs.plan_early(kept, found, RUNCMD)
    return jobs.plan(kept, found, False, jobs.ConfigScripts(RUNCMD))


PARTS = (
    "x-shellscript:setup.sh #!/bin/sh\n",
    "cloud-boothook:z.sh #!/bin/sh\n",
    "x-shellscript #!/bin/sh\n: 3\n",
    "x-shellscript-per-instance:b.sh #!/bin/sh\n",
    "x-shellscript:../a!b.sh #!/bin/sh\n: 5\n",
    "x-shellscript-per-boot:y.sh #!/bin/sh\n",
    "x-shellscript-per-once:x.sh #!/bin/sh\n",
    "x-shellscript-per-instance:a.sh #!/bin/sh\n: 8\n",
)


def test_scripts_run_in_the_order_of_cloud_init(tmp_path: Any) -> None:
    """Read off cloud-init 22.4.2: scripts-per-once, -per-boot, -per-instance and -user, each the
    sorted names of a folder; without a name a part is `part-003`; runcmd is a file of that name.
    """
    names = [job.place[1] for job in plan(tmp_path, False, *PARTS)]
    user = [".._ab.sh", "part-003", "runcmd", "setup.sh"]
    assert names == ["x.sh", "y.sh", "a.sh", "b.sh", *user]


def test_boothooks_and_bootcmd_are_early(tmp_path: Any) -> None:
    early = plan(tmp_path, True, *PARTS)
    assert [job.part.kind for job in early] == ["#cloud-boothook", "script"]
    assert all(job.each_boot and "module.bootcmd+" in job.mark for job in early)


def test_one_that_takes_long_is_told(caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    waiting = Waiting("runcmd")
    for took_s in range(0, 1201, 10):
        waiting.tell(float(took_s))
    told = [(each.levelname, each.getMessage()) for each in caplog.records]
    assert told == [
        ("INFO", "runcmd: still runs after %d minutes" % minutes) for minutes in (5, 10, 20)
    ]
