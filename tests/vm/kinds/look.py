"""What must be so in a guest of any kind that is provisioned, and how it is seen there: with what
busybox has, whatever else the kind is.
"""

from __future__ import annotations

import json
from typing import Dict, List, Mapping

from tests.vm.azure import ELSEWHERE
from tests.vm.facts import check_ready, warnings
from tests.vm.guest import Said, fingerprints_of
from tests.vm.kinds.kind import IMAGE_KEYS, Kind, dropbear_keys
from tests.vm.machine import Machine
from tests.vm.qemu import Hardware
from tests.vm.scene import Checks, Scene
from tests.vm.table import Row

DHCP_TIMEOUT_S = 120.0
# Every program that the kernel started since it began and that is Python: by its name, or by the
# script's first line. musl's grep would take seconds for each.
PYTHON = r"""
[ -e /sys/kernel/tracing/trace ] || mount -t tracefs none /sys/kernel/tracing
sed -n 's/.*filename=\([^ ]*\) pid=.*/\1/p' /sys/kernel/tracing/trace | sort -u | {
    while read -r path; do
        line=
        [ ! -f "$path" ] || IFS= read -r line <"$path"
        case $path:$line in
            *python*:* | *:'#!'*python*) echo "$path" ;;
        esac
    done
}"""
WHOLE = "sed -n 's/^# entries-in-buffer.*: \\([0-9/]*\\) .*/\\1/p' /sys/kernel/tracing/trace"


def questions(kind: Kind) -> Dict[str, str]:
    """What is asked: name -> command. Which programs ran is asked first, since the others add to
    them.
    """
    show_keys = "cat %s/ssh_host_*_key.pub" % kind.keys_folder
    if kind.dropbear:
        show_keys = dropbear_keys(kind.keys_folder)
    return {
        "python": PYTHON,
        "trace": WHOLE,
        "id": "id -u",
        "hostname": "hostname",
        "name": "cat " + kind.name_file,
        "boot": "cat /proc/sys/kernel/random/boot_id",
        "keys": show_keys,
        "image keys": "cat " + IMAGE_KEYS,
        "passwd": "cat /etc/passwd",
        "homes": "ls /home",
        "timeline": "cat /var/lib/lightinit/instance/timeline.json",
        "result": "cat /var/lib/lightinit/instance/result.json",
        "status": "lightinit status --long",
        **{"fact %d" % number: command for number, command in enumerate(kind.facts)},
    }


def settled(checks: Checks, answers: Mapping[str, Said], kind: Kind, name: str, admin: str) -> None:
    """Check what holds after every boot of a VM that is provisioned."""
    status = answers["status"]
    only_slow = status.status == 2 and not warnings(answers["result"].text)
    checks.that(
        (status.status == 0 or only_slow) and "status: done" in status.text,
        "lightinit status ends with 0 and says done",
        status,
    )
    checks.same(answers["hostname"].text, name, "the host name")
    checks.same(answers["name"].text.partition(".")[0], name, kind.name_file)
    checks.that("\n%s:" % admin in answers["passwd"].text, "the account of %s is there" % admin)
    mine = public_keys(answers["keys"].text)
    checks.that(mine, "the SSH server has host keys", answers["keys"])
    for number, (command, wanted) in enumerate(kind.facts.items()):
        checks.same(answers["fact %d" % number].text, wanted, "what `%s` prints" % command)
    images = public_keys(answers["image keys"].text)
    checks.that(images, "the image had host keys", answers["image keys"])
    checks.same(sorted(set(mine) & set(images)), [], "host keys that are the image's")


def provisioned_now(
    checks: Checks,
    scene: Scene,
    row: Row,
    machine: Machine,
    hardware: Hardware,
    answers: Mapping[str, Said],
    name: str,
) -> None:
    """Check what holds after the boot that did the work."""
    azure, shown = scene.azure, machine.console()
    checks.that(
        answers["python"].text,
        "Python is among the programs that the trace shows: it is how a later boot is judged",
        answers["python"],
    )
    for each in fingerprints_of(answers["keys"].text):
        checks.that(each in shown, "the console shows the fingerprint %s" % each)
    row.note("Ready", check_ready(checks, azure))
    network = json.loads(answers["network"].text or "{}")
    checks.that(
        network.get("option_245") and network.get("wireserver") == ELSEWHERE,
        "the WireServer is that of option 245",
        network,
    )
    in_dns = checks.that(
        machine.comes_true(lambda: azure.name_of(hardware.mac) == name, DHCP_TIMEOUT_S),
        "the name in the DHCP server is %s" % name,
        azure.name_of(hardware.mac),
    )
    row.note("name in DNS", in_dns)
    entries = json.loads(answers["timeline"].text)["entries"]
    looked = [each["start_s"] + each["duration_s"] for each in entries if each["kind"] == "check"]
    reports = [
        each["start_s"]
        for each in entries
        if each["kind"] == "request" and each["name"].startswith("POST")
    ]
    checks.that(
        looked and reports and max(looked) <= max(reports),
        "Ready comes after the login check",
        (looked, reports),
    )


def public_keys(text: str) -> List[str]:
    """The keys in lines as ssh_host_*_key.pub has them, without their comments."""
    return [" ".join(line.split()[:2]) for line in text.splitlines() if line.count(" ") > 0]
