"""One run of an agent on a machine of its own: what it took, and when the platform heard Ready."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional

from bench.agents import Agent
from tests.lib.scratch import HERE
from tests.peers.peer import Peer

RELEASE = "bookworm"
LOG = "/var/log/agent.log"
WAITING = "waiting for a DHCP lease"
# So long after that the lease comes: what it does while it waits is done, on a slow machine too.
SETTLE_S = 2.0
LIMIT_S = 180.0
POLL_S = 0.001
COUNTED = "execve,fsync,fdatasync,syncfs,sync"
BARRIERS = COUNTED.partition(",")[2]
WRAPPERS = 4  # programs that are the measurement's own: nsenter, chroot, Python, the shell
# Runs in the guest: starts the agent, and says what it took, all processes that it has waited for
# included. Without modules, so that its own memory is little.
RUNNER = """
import os, sys, time
began = time.monotonic()
child = os.fork()
if not child:
    os.execv("/bin/sh", ["sh", "-c", sys.argv[1]])
_, status, usage = os.wait4(child, 0)
print(began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, status)
"""
# Says when the address is on the NIC, by the clock that all processes share.
NOTICE = """
import socket, time
events = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
events.bind((0, 0x10))
print("ready", flush=True)
while socket.inet_aton("10.99.0.50")[:3] not in events.recv(65536):
    pass
print(time.monotonic(), flush=True)
"""
# A daemon may not heed the first signal so early.
END = """pid=$(cat /run/waagent.pid)
kill "$pid"; tries=0
while kill -0 "$pid" 2>/dev/null; do
    tries=$((tries + 1)); [ $tries -lt 50 ] || kill -KILL "$pid"
    sleep 0.1
done
"""
PYTHON = ("/usr/bin/python3", "-I", "-S", "-c")


class Condition(NamedTuple):
    """What a run is like: the latency that the emulator adds to a connection and to a request, in
    milliseconds; whether programs and barriers are counted; and what a barrier takes.
    """

    name: str
    latency_ms: int = 0
    counted: bool = False
    barrier_ms: int = 0


class Run(NamedTuple):
    """What one run took.

    Attributes:
        ready_s: from the lease, or from the start if the lease was there, to Ready.
        key_s: to the admin's key in its place.
        cpu_s: of all processes, to the agent's end.
        memory_mib: the most that one process had.
        requests: to Ready.
        programs, barriers: if they were counted.
    """

    ready_s: float
    key_s: float
    cpu_s: float
    memory_mib: float
    requests: int
    programs: Optional[int] = None
    barriers: Optional[int] = None


class NotReadyError(Exception):
    """An agent did not come to its end; the text has the end of its log."""


def prepare(agent: Agent, folder: Path, scratch: Path) -> Path:
    """Make the agent's image. Returns what it adds to the release's root."""
    image = folder / re.sub(r"\W+", "-", agent.name)
    shutil.rmtree(str(image), ignore_errors=True)
    with Peer(agent.package, RELEASE, scratch, "good", "imds", LOG) as peer:
        if agent.tree is not None:
            subprocess.run(
                [str(agent.tree / "packaging/install"), "--destdir", str(peer.guest.path())],
                check=True,
            )
            peer.guest.shell("/usr/lib/lightinit/bytecode compile")
        peer.guest.shell(agent.image)
        subprocess.run(["cp", "-a", str(peer.guest.upper), str(image)], check=True)
    shutil.rmtree(str(image / "dev"), ignore_errors=True)
    return image


def measure(agent: Agent, condition: Condition, image: Path, scratch: Path) -> Run:
    """Run it once on a new machine.

    Raises:
        NotReadyError: it did not say Ready, or put no key in place.
    """
    arguments = ["--latency-ms", str(condition.latency_ms)]
    key_from = "media" if agent.media else "imds"
    with Peer(
        agent.package, RELEASE, scratch, "good", key_from, LOG, arguments, prepared=image
    ) as peer:
        return _Measured(agent, condition, peer, scratch).run()


class _Measured:
    def __init__(self, agent: Agent, condition: Condition, peer: Peer, scratch: Path) -> None:
        self._agent, self._condition, self._peer = agent, condition, peer
        self._trace = scratch / "trace"
        self._requests = scratch / "requests.jsonl"
        self._key = peer.guest.path("/home/alice/" + agent.keys)

    def run(self) -> Run:
        guest = self._peer.guest
        notice = self._popen(*PYTHON, NOTICE)
        self._line(notice)  # it listens
        if not self._agent.waits and not self._agent.asks:
            guest.run("ifup", "-a")
        if self._agent.before:
            guest.shell(self._agent.before)
        process = self._popen(
            *PYTHON, RUNNER, "exec >%s 2>&1\n%s" % (LOG, self._agent.script), traced=True
        )
        if self._agent.waits:
            self._await(process, lambda: WAITING in self._said())
            time.sleep(SETTLE_S)
            guest.run("ifup", "-a")
        times: Dict[str, float] = {}
        self._await(process, lambda: self._seen(times))
        heard = len(self._requests.read_text(encoding="utf-8").splitlines())
        if self._agent.stays:
            guest.shell(END)
        began_s, cpu_s, memory_kib, _status = map(float, self._line(process).split())
        if self._condition.counted:
            process.terminate()  # strace would stay with a DHCP client that the agent has started
        process.wait()
        if self._agent.waits:
            began_s = float(self._line(notice))
        notice.kill()
        notice.wait()
        run = Run(times["ready"] - began_s, times["key"] - began_s, cpu_s, memory_kib / 1024, heard)
        if self._condition.counted:
            run = run._replace(programs=self._count("execve") - WRAPPERS, barriers=self._barriers())
        return run

    def _popen(self, *argv: str, traced: bool = False) -> "subprocess.Popen[str]":
        command = self._peer.guest.command(*argv)
        if traced and self._condition.counted:
            command = self._strace() + command
        return subprocess.Popen(
            command,
            env=self._peer.guest.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            universal_newlines=True,
        )

    def _strace(self) -> List[str]:
        """With a filter, so that other system calls are not stopped."""
        # -I 2: it ends by a signal, which it would not heed otherwise.
        argv = ["strace", "-f", "-q", "-I", "2", "--seccomp-bpf", "-o", str(self._trace), "-e"]
        argv.append("trace=" + COUNTED)
        if self._condition.barrier_ms:
            delay_us = self._condition.barrier_ms * 1000
            argv += ["-e", "inject=%s:delay_enter=%d" % (BARRIERS, delay_us)]
        return argv

    def _line(self, process: "subprocess.Popen[str]") -> str:
        assert process.stdout is not None  # noqa: S101
        return process.stdout.readline()

    def _said(self) -> str:
        path = self._peer.guest.path(LOG)
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def _seen(self, times: Dict[str, float]) -> bool:
        now_s = time.monotonic()
        if "key" not in times and self._key.exists() and self._key.stat().st_size:
            times["key"] = now_s
        if "ready" not in times and self._requests.exists():
            lines = self._requests.read_text(encoding="utf-8").split("\n")[:-1]
            if any(is_ready(json.loads(line)) for line in lines if '"POST"' in line):
                times["ready"] = now_s
        return len(times) == 2

    def _await(self, process: "subprocess.Popen[str]", condition: Any) -> None:
        until_s = time.monotonic() + LIMIT_S
        while not condition():
            if time.monotonic() > until_s or (process.poll() is not None and not condition()):
                raise NotReadyError(self._said()[-3000:] + self._peer.tell())
            time.sleep(POLL_S)

    def _count(self, *calls: str) -> int:
        text = self._trace.read_text(encoding="utf-8", errors="replace")
        names = "|".join(calls)
        line = r"(?m)^\d+ +(?:(?:%s)\(|<\.\.\. (?:%s) resumed>).* = 0(?: |$)" % (names, names)
        return len(re.findall(line, text))

    def _barriers(self) -> int:
        return self._count(*BARRIERS.split(","))


def is_ready(request: Dict[str, Any]) -> bool:
    """Whether a request of the emulator's log is an accepted report of Ready, in XML or JSON."""
    if request["method"] != "POST" or request["status"] not in (200, 201):
        return False
    body = str(request["body"])
    return "<State>Ready</State>" in body or bool(re.search(r'"state"\s*:\s*"Ready"', body))


def commit_tree(commit: str, folder: Path) -> Path:
    """The sources at ``commit``, as a worktree in ``folder``."""
    tree = folder / ("tree-" + commit)
    if not tree.exists():
        subprocess.run(
            ["git", "-C", HERE, "worktree", "add", "--quiet", "--detach", str(tree), commit],
            check=True,
        )
    return tree
