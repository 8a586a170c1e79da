"""Provisions one machine after another, each in its own overlay over the same root, as root of a
chroot. The argument is the module that knows the agent.

The agent is imported once; then each machine is a fork. It has mounts, processes and a host name of
its own, and the network of the chroot. Requests are lines of JSON on standard input, answers on
standard output.
"""

from __future__ import annotations

import base64
import ctypes
import importlib
import json
import os
import signal
import socket
import sys
import time
from typing import Any, Callable, Dict

from tests.peers.user_data.inside import changes, facts

LIBC = ctypes.CDLL(None, use_errno=True)
NEW_MOUNTS, NEW_HOSTNAME, NEW_IPC, NEW_PROCESSES = 0x00020000, 0x04000000, 0x08000000, 0x20000000
PLACE = "/mnt/machine"
ROOT, UPPER = PLACE + "/root", PLACE + "/upper"
LOG = "/var/log/peers.log"
STAGE_S = 120.0
LEFT_BEHIND_S = 60.0


def call(result: int) -> None:
    """Check the result of a call of the C library.

    Raises:
        OSError: it failed.
    """
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def mount(kind: str, target: str, options: str = "") -> None:
    os.makedirs(target, exist_ok=True)
    call(LIBC.mount(b"none", target.encode(), kind.encode(), 0, options.encode()))


def fork(work: Callable[[], None]) -> int:
    """Do something in a child process, whose status is 0 unless it raises. Returns its id."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        work()
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
    os._exit(status)


def run_stage(work: Callable[[], Any]) -> int:
    """Do something as a process of its own, to its end, with its output in LOG. Others that end
    meanwhile are buried. Returns its status.

    Raises:
        TimeoutError: it takes longer than STAGE_S.
    """

    def do() -> None:
        os.setsid()
        output = os.open(LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for number in (1, 2):
            os.dup2(output, number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.exit(work() or 0)

    child = fork(do)
    deadline_s = time.monotonic() + STAGE_S
    while True:
        ended, status = os.waitpid(-1, os.WNOHANG)
        if ended == child:
            return status
        if time.monotonic() > deadline_s:
            raise TimeoutError("a stage takes longer than %d s" % STAGE_S)
        if not ended:
            time.sleep(0.003)


def wait_for_others() -> None:
    """Wait until all processes of the machine have ended, or the time is over."""
    deadline_s = time.monotonic() + LEFT_BEHIND_S
    try:
        while time.monotonic() < deadline_s:
            if not os.waitpid(-1, os.WNOHANG)[0]:
                time.sleep(0.003)
    except ChildProcessError:
        pass


def be_machine(agent: Any, data: bytes, answer: int) -> None:
    """The first process of a machine.

    Args:
        agent: the module that knows the agent.
        data: the user data.
        answer: the descriptor for what the machine says of itself.
    """
    for kind, target in (("proc", "/proc"), ("sysfs", "/sys"), ("tmpfs", "/run")):
        mount(kind, ROOT + target)
    os.chroot(ROOT)
    os.chdir("/")
    socket.sethostname("image")
    statuses = [run_stage(stage) for stage in agent.stages(data)]
    wait_for_others()
    found = {"statuses": statuses, "facts": facts.collect(agent.NAME), "log": agent.read_log()}
    with os.fdopen(answer, "w", encoding="utf-8") as stream:
        json.dump(found, stream)


def be_keeper(agent: Any, data: bytes, answer: int) -> None:
    """The process that keeps a machine's mounts, starts its first process, and looks afterwards at
    what has changed.
    """
    call(LIBC.unshare(NEW_MOUNTS | NEW_HOSTNAME | NEW_IPC | NEW_PROCESSES))
    mount("tmpfs", PLACE)
    for folder in (UPPER, PLACE + "/work"):
        os.mkdir(folder)
    below = ":".join("/mnt/below/%s" % name for name in sorted(os.listdir("/mnt/below")))
    mount(
        "overlay",
        ROOT,
        "lowerdir=%s,upperdir=%s,workdir=%s/work" % (below, UPPER, PLACE),
    )
    reader, writer = os.pipe()
    first = fork(lambda: be_machine(agent, data, writer))
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as stream:
        said = stream.read()
    os.waitpid(first, 0)
    found: Dict[str, Any] = json.loads(said) if said else {"log": "the machine died"}
    found["changes"] = changes.Changes(ROOT, UPPER, "/", data.decode("utf-8", "replace")).collect()
    with os.fdopen(answer, "w", encoding="utf-8") as stream:
        json.dump(found, stream)


def provision(agent: Any, data: bytes) -> str:
    """Provision a new machine with user data. Returns what came of it, as JSON."""
    reader, writer = os.pipe()
    keeper = fork(lambda: be_keeper(agent, data, writer))
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as stream:
        said = stream.read()
    os.waitpid(keeper, 0)
    return said or "{}"


def main() -> None:
    """Answer requests until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    agent = importlib.import_module(sys.argv[1])
    agent.prepare()
    for line in iter(sys.stdin.readline, ""):
        answer = provision(agent, base64.b64decode(line))
        sys.stdout.write(answer.replace("\n", " ") + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
