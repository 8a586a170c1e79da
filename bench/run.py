"""``make bench``: measures lightinit and prints a table of ratios.

Both sides of a ratio are measured in the same run, so that a slow machine slows both. docs/bench.md
describes the method. The exit code is 0 even if a target is missed, because results on a busy
machine must not break a build.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from typing import Any, Callable, Dict, List, NamedTuple, Optional

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, HERE)

from lightinit.emulator import Platform  # noqa: E402
from tests.lib.netns import Namespace, find_tool, wait_until  # noqa: E402
from tests.lib.scratch import DMI, FILES, SPARE_THE_DISK, Machine  # noqa: E402

REPEATS = int(os.environ.get("BENCH_REPEATS", "15"))
PYTHON = [sys.executable, "-I"]
BARE = [sys.executable, "-I", "-S"]
BOOT = [
    sys.executable,
    "-I",
    "-S",
    os.path.join(HERE, "lightinit", "__main__.py"),
    "boot",
    "--root",
]
LEASE = "/var/lib/dhcp/dhclient.eth0.leases"
LATENCIES_MS = (0, 20)
INIT_ENVIRONMENT = (
    "HOME=/\0init=/sbin/init\0TERM=linux\0BOOT_IMAGE=/boot/vmlinuz-6.1.0-18-cloud-amd64\0"
    "PATH=/sbin:/usr/sbin:/bin:/usr/bin\0PWD=/\0rootmnt=/root\0"
)
LIVE_REPEATS = 3


class Cost(NamedTuple):
    """The cost of a command: the median of wall seconds and the mean of CPU seconds.

    The kernel counts CPU time in ticks, so only the mean of many runs is exact.
    """

    wall_s: float
    cpu_s: float


def environment() -> Dict[str, str]:
    """Return this process's environment, but allow bytecode: otherwise the runs would measure the
    compiler.
    """
    env = dict(os.environ)
    for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"):
        env.pop(name, None)
    return env


def cost_of(
    argv_of: Callable[[int], List[str]], repeats: int = REPEATS, check: bool = True
) -> Cost:
    """Run a command repeatedly and return its cost. The first run does not count.

    Args:
        argv_of: returns the command line of the Nth run; it may prepare the run.
        repeats: how many runs count; 0 means one run, which counts.
        check: whether the command must exit with 0.
    """
    walls, cpu_s = [], 0.0
    for number in range(repeats + 1):
        argv = argv_of(number)
        counts = bool(number) or not repeats
        began_s = time.perf_counter()
        process = subprocess.Popen(
            argv,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd="/",
        )
        assert process.stderr is not None  # noqa: S101
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - began_s
        process.returncode = status
        if check and status:
            raise SystemExit(
                "bench: %s ended with wait status %d\n%s" % (" ".join(argv), status, said.decode())
            )
        if counts:
            walls.append(wall_s)
            cpu_s += usage.ru_utime + usage.ru_stime
    return Cost(statistics.median(walls), cpu_s / max(repeats, 1))


def _same(argv: List[str], number: int) -> List[str]:
    return argv


class Bench:
    """The measurements; each method returns costs.

    Args:
        scratch: an empty directory.
    """

    def __init__(self, scratch: str) -> None:
        self._scratch = scratch
        self._made = 0

    def machine(self, platform: Platform, lease: bool = True) -> Machine:
        """Return a new scratch root whose settings and lease name ``platform``."""
        self._made += 1
        missing = [LEASE]
        if lease:
            missing = []
        machine = Machine("%s/%d" % (self._scratch, self._made), without=missing)
        machine.lead_to(platform)
        # Without this, the host's own address and route would count as the network before the
        # lease exists.
        machine.put(
            "/etc/lightinit/conf.d/20-bench.conf", "[network]\ngrace_s = 60\nlease_timeout_s = 60\n"
        )
        return machine

    def first_boot(self, platform: Platform) -> Cost:
        """Measure a whole first boot with an existing lease."""
        return cost_of(lambda number: BOOT + [self.machine(platform).root])

    def second_boot(self, platform: Platform) -> Cost:
        """Measure a boot of an instance that is done."""
        root = self.machine(platform).root
        subprocess.run(BOOT + [root], check=True, stderr=subprocess.DEVNULL, env=environment())
        return cost_of(lambda number: BOOT + [root], repeats=REPEATS * 2)

    def check(self, platform: Platform, with_systemd: bool) -> Cost:
        """Measure the shell script that init systems run on later boots.

        Args:
            platform: the platform.
            with_systemd: whether the machine runs systemd. If not, the script looks at the
                environment of the first process, as that of a Debian with sysvinit.
        """
        machine = self.machine(platform)
        root = machine.root
        machine.put("/proc/1/environ", INIT_ENVIRONMENT)
        if with_systemd:
            os.makedirs(root + "/run/systemd/system")
        subprocess.run(BOOT + [root], check=True, stderr=subprocess.DEVNULL, env=environment())
        script = os.path.join(HERE, "init", "check")
        if subprocess.run([script, root], stderr=subprocess.DEVNULL, check=False).returncode != 1:
            raise SystemExit("bench: init/check wants a boot, but the instance is done")
        return cost_of(lambda number: [script, root], REPEATS * 4, check=False)

    def lease_to_ready_s(self, platform: Platform) -> float:
        """Return the median of seconds from the lease file to Ready at the platform."""
        waits = []
        for _ in range(REPEATS):
            machine = self.machine(platform, lease=False)
            before = platform.ready_count
            process = subprocess.Popen(
                BOOT + [machine.root], env=environment(), stderr=subprocess.DEVNULL
            )
            time.sleep(0.6)  # until it has imported its modules and waits
            if platform.ready_count != before:
                raise SystemExit("bench: Ready came before the lease")
            began_s = time.perf_counter()
            machine.put(LEASE, FILES[LEASE])
            while platform.ready_count == before and process.poll() is None:
                time.sleep(0.0005)
            waits.append(time.perf_counter() - began_s)
            process.wait()
            if process.returncode:
                raise SystemExit("bench: boot ended with %d" % process.returncode)
        return statistics.median(waits)

    def recipe(self, platform: Platform) -> Cost:
        """Measure the recipe's script."""
        argv = [sys.executable, "-I", os.path.join(HERE, "bench", "recipe.py"), platform.wireserver]
        return cost_of(lambda number: argv)

    def live_boot(self) -> Optional[Dict[str, Any]]:
        """Measure a first boot of a live root in namespaces, with the host's useradd, visudo and
        sshd.

        Returns:
            The cost and the commands that ran; None if the caller is not root or a tool is missing.
        """
        tools = ("ip", "unshare", "nsenter", "mount", "useradd", "visudo", "sudo", "sshd")
        if os.geteuid() or any(find_tool(name) is None for name in tools):
            return None
        walls, cpu_s, commands = [], 0.0, []
        for number in range(LIVE_REPEATS):
            with Namespace(
                ["/run", "/var/lib/dhcp", "/var/lib/lightinit", "/var/log", "/home", "/var/mail"]
            ) as vm:
                vm.run("sh", "-c", DMI)
                for address in ("168.63.129.16/32", "169.254.169.254/32", "10.0.0.4/32"):
                    vm.add_address("lo", address)
                lease = FILES[LEASE].replace("eth0", "lo").replace("7f:0:0:1", "a8:3f:81:10")
                vm.write(LEASE, lease)
                vm.write("/etc/lightinit/conf.d/20-bench.conf", SPARE_THE_DISK)
                ready = "%s/live-%d" % (self._scratch, number)
                vm.start(
                    sys.executable,
                    "-m",
                    "lightinit.emulator",
                    "run",
                    "--wireserver",
                    "168.63.129.16:80",
                    "--imds",
                    "169.254.169.254:80",
                    "--ready-file",
                    ready,
                    env={"PYTHONPATH": HERE},
                )
                wait_until(partial(os.path.exists, ready), 20, "the emulator does not start")
                argv = vm.command("unshare", "--uts", *BOOT[:-1])
                cost = cost_of(partial(_same, argv), repeats=0)
                walls.append(cost.wall_s)
                cpu_s += cost.cpu_s
                entries = json.loads(vm.run("cat", "/var/lib/lightinit/instance/timeline.json"))[
                    "entries"
                ]
                commands = [entry["name"] for entry in entries if entry["kind"] == "command"]
        return {"cost": Cost(statistics.median(walls), cpu_s / LIVE_REPEATS), "commands": commands}

    def counts(self, platform: Platform) -> Dict[str, int]:
        """Count what a first boot starts and opens."""
        ended = subprocess.run(
            [
                sys.executable,
                os.path.join(HERE, "bench", "counted.py"),
                "--root",
                self.machine(platform).root,
                "boot",
            ],
            stdout=subprocess.PIPE,
            check=True,
            stderr=subprocess.DEVNULL,
            env=environment(),
        )
        found: Dict[str, int] = json.loads(ended.stdout.decode().splitlines()[-1])
        return found


def main() -> int:
    """Measure, print the tables, and return the exit code."""
    rows: List[List[str]] = []
    targets: List[List[Any]] = []
    bare = cost_of(lambda number: BARE + ["-c", "pass"], REPEATS * 2)
    isolated = cost_of(lambda number: PYTHON + ["-c", "pass"], REPEATS * 2)
    requests = cost_of(lambda number: PYTHON + ["-c", "import requests"])

    def row(name: str, cost: Cost) -> None:
        rows.append(
            [
                name,
                "%.1f" % (cost.wall_s * 1000),
                "%.1f" % (cost.cpu_s * 1000),
                "%.2f" % (cost.wall_s / bare.wall_s),
                "%.2f" % (cost.cpu_s / requests.cpu_s),
            ]
        )

    row("python3 -I -S -c pass", bare)
    row("python3 -I -c pass", isolated)
    row("python3 -I -c 'import requests'", requests)
    counts: Dict[str, int] = {}
    with tempfile.TemporaryDirectory(prefix="lightinit-bench-") as scratch:
        bench = Bench(scratch)
        for latency_ms in LATENCIES_MS:
            with Platform(latency_s=latency_ms / 1000.0) as platform:
                recipe, first = bench.recipe(platform), bench.first_boot(platform)
                row("the recipe's script, %d ms" % latency_ms, recipe)
                row("first boot, %d ms" % latency_ms, first)
                waited_s = bench.lease_to_ready_s(platform)
                rows.append(
                    [
                        "lease to Ready, %d ms" % latency_ms,
                        "%.1f" % (waited_s * 1000),
                        "",
                        "%.2f" % (waited_s / bare.wall_s),
                        "",
                    ]
                )
                targets.append(
                    [
                        "lease to Ready / the script's wall time, %d ms" % latency_ms,
                        waited_s / recipe.wall_s,
                        1.5,
                    ]
                )
                if not latency_ms:
                    second = bench.second_boot(platform)
                    row("second boot", second)
                    nothing = cost_of(lambda number: ["/bin/true"], REPEATS * 4)
                    row("/bin/true", nothing)
                    for name, most in (("other init", 4.0), ("systemd", 3.5)):
                        check = bench.check(platform, name == "systemd")
                        row("the shell check, " + name, check)
                        targets.append(
                            [
                                "the shell check / /bin/true, wall, " + name,
                                check.wall_s / nothing.wall_s,
                                most,
                            ]
                        )
                    targets.append(
                        [
                            "the shell check / python3 -I -S -c pass, wall",
                            check.wall_s / bare.wall_s,
                            0.5,
                        ]
                    )
                    targets.append(
                        ["first boot CPU / import requests CPU", first.cpu_s / requests.cpu_s, 2.0]
                    )
                    targets.append(
                        [
                            "second boot / python3 -I -S -c pass, wall",
                            second.wall_s / bare.wall_s,
                            2.0,
                        ]
                    )
                    targets.append(
                        ["second boot / python3 -I -S -c pass, CPU", second.cpu_s / bare.cpu_s, 2.0]
                    )
                    if hasattr(sys, "addaudithook"):
                        counts = bench.counts(platform)
        live = bench.live_boot()
        if live is not None:
            row("first boot of a live root, 0 ms *", live["cost"])
    print_table(rows, targets, counts)
    if live is not None:
        print("* with the CPU time of: %s" % (", ".join(live["commands"]) or "no command"))
    return 0


def peak_mib(code: str) -> float:
    """Return the peak resident memory, in MiB, of an interpreter that runs ``code``.

    The interpreter reads it from /proc. The value of wait4 would include this process, from which
    it is forked.
    """
    tell = "; print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    return (
        int(subprocess.run(PYTHON + ["-c", code + tell], stdout=subprocess.PIPE, check=True).stdout)
        / 1024
    )


def print_table(rows: List[List[str]], targets: List[List[Any]], counts: Dict[str, int]) -> None:
    """Print the results."""
    print(
        "Python %s, %d CPUs, %d runs each (medians; CPU: means)\n"
        % (sys.version.split()[0], os.cpu_count() or 0, REPEATS)
    )
    print("%-36s %9s %9s %9s %9s" % ("", "wall ms", "CPU ms", "wall/bare", "CPU/req."))
    for row in rows:
        print("%-36s %9s %9s %9s %9s" % tuple(row))
    if counts:
        boot_mib, requests_mib = counts.pop("peak_kib") / 1024, peak_mib("import requests")
        print(
            "\npeak memory: bare %.1f MiB, import requests %.1f MiB, first boot %.1f MiB"
            % (peak_mib("pass"), requests_mib, boot_mib)
        )
        targets.append(
            ["first boot, memory / import requests, memory", boot_mib / requests_mib, 1.25]
        )
        print(
            "a first boot in a scratch root: "
            + ", ".join("%s %d" % (key.replace("_", " "), value) for key, value in counts.items())
        )
    print("\n%-52s %7s %7s" % ("target", "ratio", "at most"))
    for name, ratio, limit in targets:
        print("%-52s %7.2f %7.2f  %s" % (name, ratio, limit, "met" if ratio <= limit else "MISSED"))


if __name__ == "__main__":
    sys.exit(main())
