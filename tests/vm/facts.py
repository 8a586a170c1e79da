"""What must be so in a guest that is provisioned, and how it is seen there. Tests add what is
theirs.
"""

from __future__ import annotations

import json
from typing import Any, Dict, List, Mapping, Optional, Sequence

from tests.vm.azure import Azure, Person
from tests.vm.guest import Guest, Said, parse_journal, parse_units
from tests.vm.machine import Machine
from tests.vm.qemu import Hardware
from tests.vm.scene import BOOT_TIMEOUT_S, Checks

TARGETS = (
    "lightinit-local.target",
    "lightinit-fetch.target",
    "lightinit-config.target",
    "lightinit-final.target",
)
PROPERTIES = (
    "Id",
    "ActiveState",
    "Result",
    "TimeoutStartUSec",
    "ActiveEnterTimestampMonotonic",
    "ExecMainStartTimestampMonotonic",
    "ExecMainExitTimestampMonotonic",
)
# Every program that the kernel started since it began and that is Python: by its name, or by the
# script's first line. One Perl for all of them: a program's start is dear on an emulated processor.
PYTHON = r"""perl -ne '
next unless /filename=(\S+) pid=/ and not $seen{$1}++;
my $path = $1;
my $line = "";
if (-f $path and open my $program, "<", $path) { read $program, $line, 100 }
print "$path\n" if $path =~ /python/ or $line =~ /^#!.*python/;
' /sys/kernel/tracing/trace"""
# Further questions, for the boots that are judged by what has run: it is asked first.
TRACE: Mapping[str, str] = {
    "trace": "sed -n 's/^# entries-in-buffer.*: \\([0-9/]*\\) .*/\\1/p' /sys/kernel/tracing/trace",
    "python": PYTHON,
}
# Further questions, for what provisioned_now looks at.
DETAILS: Mapping[str, str] = {**TRACE, "timeline": "lightinit analyze show --format json"}
# Each program that is started costs an emulated processor a second, Python three.
QUESTIONS: Mapping[str, str] = {
    "running": (
        "systemctl is-system-running --wait || systemctl list-units --failed --no-legend --plain"
    ),
    "status": "lightinit status --wait --long",
    "hostname": "hostname",
    "/etc/hostname": "cat /etc/hostname",
    "boot": "cat /proc/sys/kernel/random/boot_id",
    "machine-id": "cat /etc/machine-id",
    "keys": "for each in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf $each; done",
    "passwd": "cat /etc/passwd",
    "units": "systemctl show -p %s lightinit.service ssh.service %s"
    % (",".join(PROPERTIES), " ".join(TARGETS)),
    "result": "cat /var/lib/lightinit/instance/result.json",
    "journal": (
        "journalctl -b -o json --no-pager --output-fields=MESSAGE,PRIORITY,_HOSTNAME,_SYSTEMD_UNIT,"
        "SYSLOG_IDENTIFIER,_COMM"
    ),
}
Facts = Dict[str, Said]
DHCP_TIMEOUT_S = 120.0
# In the warning of a check that was given up after 10 s.
SLOW = "it said: command took too long"


def check_ready(checks: Checks, azure: Azure, most: int = 1) -> bool:
    """The platform has accepted Ready, once (or up to ``most`` times), and was told nothing
    else. Returns whether it is so.
    """
    states = [
        (post["status"], "NotReady" if "NotReady" in post["body"] else "Ready")
        for post in azure.posts()
    ]
    once = checks.that(
        1 <= len(azure.accepted("Ready")) <= most,
        "the platform accepts Ready %s"
        % ("exactly once" if most == 1 else "once, at most %d times" % most),
        states,
    )
    alone = checks.that(all(state == "Ready" for _, state in states), "no report but Ready", states)
    return once and alone


def provisioned(
    checks: Checks,
    azure: Azure,
    machine: Machine,
    guest: Guest,
    hardware: Hardware,
    name: str,
    person: Person,
    more: Optional[Mapping[str, str]] = None,
    statuses: Sequence[int] = (0,),
) -> Facts:
    """Log in as the admin, look around, and check what holds after every boot of a VM that is
    provisioned.

    Args:
        checks: where failures are noted.
        azure: the platform.
        machine: what it runs on.
        guest: the guest, which is just booting.
        hardware: of the machine.
        name: the host name that it must have.
        person: the admin.
        more: further questions: name -> command, as TRACE or DETAILS.
        statuses: that `lightinit status` may end with.

    Returns:
        the answers to QUESTIONS and to ``more``.
    """
    guest.wait_for_ssh(BOOT_TIMEOUT_S)  # the key that IMDS gave opens the account
    more = more or {}
    first = {question: more[question] for question in TRACE if question in more}
    # This shows too that sudo works, by which the questions are asked.
    facts = guest.ask({**first, **QUESTIONS, **more})
    # Otherwise its second line names a failed unit.
    checks.same(facts["running"].text, "running", "systemctl is-system-running")
    status = facts["status"].status
    if status == 2 and not warnings(facts["result"].text):
        status = 0  # warned only of what a busy host is to blame for
    checks.that(
        status in statuses and "status: done" in facts["status"].text,
        "lightinit status ends with %s and says done" % " or ".join(map(str, statuses)),
        facts["status"],
    )
    states = [each["ActiveState"] for name, each in units(facts).items() if name in TARGETS]
    checks.same(states, ["active"] * 4, "the state of the four targets")
    checks.same(facts["hostname"].text, name, "the host name")
    checks.same(facts["/etc/hostname"].text, name, "/etc/hostname")
    checks.that(
        "\n%s:" % person.name in facts["passwd"].text, "the account of %s is there" % person.name
    )
    checks.that("login:" in machine.console(), "the serial console offers a login")
    checks.that(
        guest.known_keys() and set(guest.known_keys()) <= set(fingerprints(facts)),
        "the host key that sshd has shown is on the disk: %s" % guest.known_keys(),
        fingerprints(facts),
    )
    cycles = [entry["MESSAGE"] for entry in journal(facts) if "ordering cycle" in entry["MESSAGE"]]
    checks.same(cycles, [], "ordering cycles in the journal")
    return facts


def check_keys_shown(checks: Checks, guest: Guest, facts: Facts) -> None:
    """sshd shows all host keys that are on the disk, and no others."""
    checks.same(guest.scan_keys(), fingerprints(facts), "the host keys that sshd shows")


def provisioned_now(
    checks: Checks,
    facts: Facts,
    machine: Machine,
    azure: Azure,
    hardware: Hardware,
    name: str,
    person: Person,
) -> bool:
    """Check what holds after the boot that did the work: order, names, what the console has
    shown. Returns whether the DHCP server has the name.
    """
    shown = machine.console()
    checks.that(
        facts["python"].text,
        "Python is among the programs that the trace shows: it is how a later boot is judged",
    )
    for each in fingerprints(facts):
        checks.that(each in shown, "the console shows the fingerprint %s" % each)
    entries = journal(facts)
    checks.that(
        any(
            entry.get("_HOSTNAME") == name and entry.get("_SYSTEMD_UNIT") == "lightinit.service"
            for entry in entries
        ),
        "the journal has lines of lightinit's under the name %s" % name,
    )
    in_dns = checks.that(
        machine.comes_true(lambda: azure.name_of(hardware.mac) == name, DHCP_TIMEOUT_S),
        "the name in the DHCP server's database is %s" % name,
        azure.name_of(hardware.mac),
    )
    # The order, by what others than lightinit have said: useradd in the journal, the kernel,
    # systemd.
    made = _first(
        entries,
        lambda entry: (
            entry.get("_COMM") == "useradd"
            and "new user: name=%s," % person.name in entry["MESSAGE"]
        ),
    )
    told = _first(
        entries,
        lambda entry: (
            entry.get("_SYSTEMD_UNIT") == "lightinit.service"
            and "accepted Ready" in entry["MESSAGE"]
        ),
    )
    checks.that(
        made is not None and told is not None and made < told,
        "useradd's line comes before Ready's in the journal",
        (made, told),
    )
    timeline = json.loads(facts["timeline"].text)["entries"]
    config = max(
        (entry["start_s"] + entry["duration_s"] for entry in timeline if entry["kind"] == "module"),
        default=0.0,
    )
    report = [
        entry["start_s"]
        for entry in timeline
        if entry["kind"] == "request" and entry["name"].startswith("POST")
    ]
    checks.that(
        report and config <= report[-1],
        "the report is sent after the last module's end",
        (config, report),
    )
    check_order(checks, facts)
    return in_dns


def check_order(checks: Checks, facts: Facts) -> None:
    """sshd began after the modules had ended; the first target was reached while lightinit still
    ran.
    """
    seen = units(facts)
    ended = int(seen["lightinit.service"].get("ExecMainExitTimestampMonotonic", "0"))
    modules = int(seen["lightinit-config.target"].get("ActiveEnterTimestampMonotonic", "0"))
    network = int(seen["lightinit-local.target"].get("ActiveEnterTimestampMonotonic", "0"))
    began = int(seen["ssh.service"].get("ExecMainStartTimestampMonotonic", "0"))
    checks.that(
        0 < modules <= began,
        "sshd starts after the config stage",
        "%d us, %d us" % (modules, began),
    )
    checks.that(
        0 < network < ended,
        "the local stage's target is reached while lightinit runs",
        "%d us, %d us" % (network, ended),
    )


def warnings(result: str) -> List[str]:
    """The warnings in the text of result.json, without those that a login check took too long: on a
    busy host it may.
    """
    return [each for each in json.loads(result)["warnings"] if SLOW not in each]


def units(facts: Facts) -> Dict[str, Dict[str, str]]:
    """The units that were asked for: name -> property -> value."""
    return parse_units(facts["units"].text)


def fingerprints(facts: Facts) -> List[str]:
    """Of the host keys on the guest's disk."""
    return sorted(line.split()[1] for line in facts["keys"].text.splitlines())


def journal(facts: Facts) -> List[Dict[str, Any]]:
    """The journal of this boot."""
    return parse_journal(facts["journal"].text)


def _first(entries: List[Dict[str, Any]], holds: Any) -> Optional[int]:
    times = [int(entry["__MONOTONIC_TIMESTAMP"]) for entry in entries if holds(entry)]
    return times[0] if times else None
