"""What is asked of a machine after its agent has ended: the effect of files that agents write in
different places.
"""

from __future__ import annotations

import os
import subprocess
import urllib.request
from typing import Dict


def collect(agent: str) -> Dict[str, str]:
    """Name -> answer. A name is that of the command that was asked; ``POST`` is what the agent has
    sent to the web server.
    """
    os.makedirs("/run/sshd", exist_ok=True)
    found = {"uname -n": ask("uname", "-n")}
    with open("/etc/passwd", encoding="utf-8") as stream:
        accounts = [line.split(":") for line in stream]
    found["sshd -T"] = ask("sshd", "-T")
    for name, _, number, *_ in accounts:
        if 500 <= int(number) < 60000:
            found["sudo -l %s" % name] = rights(ask("sudo", "-n", "-l", "-U", name))
    with urllib.request.urlopen("http://127.0.0.1:8099/posted/" + agent) as answer:
        found["POST"] = answer.read().decode("utf-8")
    return found


def ask(*argv: str) -> str:
    ended = subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        check=False,
    )
    return ended.stdout


def rights(listing: str) -> str:
    """The rules of sudo's listing, in order and each once."""
    _, found, rules = listing.partition("may run the following commands")
    if not found:
        return "none"
    return "\n".join(sorted({" ".join(line.split()) for line in rules.splitlines()[1:]}))
