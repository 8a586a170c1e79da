"""``make bench-vm``: what an agent adds to the boot of a virtual machine, by systemd's own clock.

The same Debian boots without an agent, with lightinit and with cloud-init, first and later boots in
turns. When all jobs of a boot are done, the machine says how long after its kernel's start sshd
and multi-user.target were reached, and what systemd-analyze calls their critical chain. What the
boot without an agent takes is subtracted.
"""

from __future__ import annotations

import os
import re
import statistics
from typing import Dict, List, NamedTuple, Tuple

from tests.vm.azure import network_of
from tests.vm.conftest import missing, package
from tests.vm.image import build
from tests.vm.scene import BOOT_TIMEOUT_S, FIRST, Scene

REPEATS = int(os.environ.get("BENCH_REPEATS", "3"))
UNITS = ("ssh.service", "multi-user.target")
ALONE, OURS, THEIRS = "no agent", "lightinit", "cloud-init"
END = "BENCH-END"
# By the kernel's command line, so that the same disk serves with lightinit and without it.
NO_LIGHTINIT = "systemd.mask=lightinit.service"
PROGRAM = """#!/bin/sh
# What took how long; then off.
systemctl is-system-running --wait
{
    for unit in %(units)s; do
        echo "BENCH $unit $(systemctl show --value -p ActiveEnterTimestampMonotonic "$unit")"
    done
    systemd-analyze --no-pager critical-chain %(units)s
    echo %(end)s
} >/dev/ttyS0 2>&1
systemctl --no-block poweroff
"""
FILES = {
    "/usr/local/sbin/bench": PROGRAM % {"units": " ".join(UNITS), "end": END},
    "/etc/systemd/system/bench.service": "[Service]\nExecStart=/bin/sh /usr/local/sbin/bench\n",
}
Boots = List[Dict[str, float]]


class Variant(NamedTuple):
    """A machine that is measured.

    Attributes:
        name: of its agent.
        image: one of the images of tests/vm.
        words: further words for the kernel's command line.
    """

    name: str
    image: str
    words: Tuple[str, ...]


VARIANTS = (
    Variant(ALONE, "bookworm-networkd", (NO_LIGHTINIT,)),
    Variant(OURS, "bookworm-networkd", ()),
    Variant(THEIRS, "bookworm-cloudinit", (NO_LIGHTINIT,)),
)


class Measured:
    """The boots of one variant.

    Args:
        variant: which.
    """

    def __init__(self, variant: Variant) -> None:
        self.variant = variant
        self.first: Boots = []
        self.later: Boots = []
        self.chain = ""

    def run(self, number: int) -> None:
        """Boot a new disk twice, with Azure around it."""
        image = build(self.variant.image, package())
        name = "bench-%s-%d" % (self.variant.name.replace(" ", "-"), number)
        with Scene(image, name) as scene:
            admin = scene.person("admin")
            scene.azure.serve_dhcp()
            network = network_of(FIRST, "10.99.0.50")
            scene.azure.stand_for(FIRST, "web-1", admin, more={"network": network})
            words = ("systemd.wants=bench.service",) + self.variant.words
            machine = scene.machine(scene.changed(FILES), FIRST, words)
            for boots in (self.first, self.later):
                machine.start()
                machine.wait_until(
                    lambda: END in machine.console(), BOOT_TIMEOUT_S, "the boot has not ended"
                )
                said = machine.console()
                machine.wait_for_end()
                boots.append(
                    {unit: int(us) / 1e6 for unit, us in re.findall(r"BENCH (\S+) (\d+)", said)}
                )
                if boots is self.first:
                    self.chain = said[said.rindex("BENCH ") : said.rindex(END)]
            wanted = 0 if self.variant.name == ALONE else 1
            ready = len(scene.azure.accepted("Ready"))
            if ready != wanted:
                raise SystemExit("%s: %d reports of Ready" % (self.variant.name, ready))


def added(boots: Boots, alone: Boots, unit: str) -> float:
    """Seconds that an agent adds until ``unit`` is reached: the medians' difference."""
    return statistics.median(each[unit] for each in boots) - statistics.median(
        each[unit] for each in alone
    )


def spread(boots: Boots, unit: str) -> float:
    """Seconds between the fastest and the slowest boot: a smaller difference means nothing."""
    return max(each[unit] for each in boots) - min(each[unit] for each in boots)


def main() -> None:
    """Measure, and print a table."""
    reasons = missing()
    if reasons:
        raise SystemExit("bench-vm: " + "; ".join(reasons))
    measured = {variant.name: Measured(variant) for variant in VARIANTS}
    for number in range(REPEATS):
        for each in measured.values():
            each.run(number)
            print("%s: %s, then %s" % (each.variant.name, each.first[-1], each.later[-1]))
    alone, ours, theirs = measured[ALONE], measured[OURS], measured[THEIRS]
    for unit in UNITS:
        print("\n%s, seconds after the kernel's start; medians of %d" % (unit, REPEATS))
        for what in ("first", "later"):
            base: Boots = getattr(alone, what)
            plus = [added(getattr(each, what), base, unit) for each in (ours, theirs)]
            plain = statistics.median(boot[unit] for boot in base)
            print("%s boot: no agent %.2f (spread %.2f)" % (what, plain, spread(base, unit)))
            print("  lightinit %+.2f, cloud-init %+.2f, ratio %.2f" % (*plus, plus[0] / plus[1]))
    for each in measured.values():
        print("\nfirst boot, %s:\n%s" % (each.variant.name, each.chain))


if __name__ == "__main__":
    main()
