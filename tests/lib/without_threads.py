"""A process that cannot begin a thread: started as ``without_threads.py ROOT SLOW ENDLESS GOOD``,
it downloads from three URLs in both ways, and searches below ROOT for media. It prints what has
come of each.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
from functools import partial
from typing import Any, Callable, Dict

HERE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NOBODY = 65534
LIMIT_S = 1.0


def forbid_threads() -> str:
    """Let no thread begin from now on. Returns how that was done."""
    try:
        os.setgid(NOBODY)  # the limit is not for root
        os.setuid(NOBODY)
    except OSError:
        pass
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    try:
        threading.Thread(target=int).start()
    except RuntimeError:
        return "RLIMIT_NPROC"
    from tests.lib.poor_python import refuse_threads

    refuse_threads()  # a kernel that has no such limit
    return "a stand-in"


def tell(work: Callable[[], Any]) -> str:
    """What ``work`` returns (of an answer its body), or the reason of its error."""
    from lightinit.errors import LightinitError

    try:
        answer = work()
        return str(getattr(answer, "body", answer))
    except LightinitError as error:
        return error.reason + error.details.get("hint", "")[:18]


def main(root: str, *urls: str) -> None:
    """Do all of it."""
    sys.path[0] = HERE
    import tests.lib.poor_python  # noqa: F401 - nobody may have no right to read it
    from lightinit.host.clock import Clock
    from lightinit.host.command import run_command
    from lightinit.host.media import look  # noqa: F401
    from lightinit.host.media.search import MediaSearch
    from lightinit.host.network.download import Downloader
    from lightinit.host.network.http import HttpTransport, preload
    from lightinit.host.system import System

    preload()
    told: Dict[str, str] = {"how": forbid_threads()}
    transport = HttpTransport(Clock())
    for name, url, limit_s in zip(("slow", "endless", "good"), urls, (LIMIT_S, LIMIT_S, 60.0)):
        told["http " + name] = tell(partial(transport.request, "GET", url, timeout_s=limit_s))
        told["download " + name] = tell(partial(Downloader().get, url, limit_s, 1000))
    told["command"] = tell(partial(run_command, ["/bin/sh", "-c", "exit 3"], b"", 60.0))
    search = MediaSearch(System(root), ("ovf-env.xml",), lambda _: True, "/media")
    search.start()
    search.settle(60.0)
    found = search.result(1.0)
    told["media"] = "; ".join(each for _, each in search.tried) or str(found and found.device)
    search.stop()
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
