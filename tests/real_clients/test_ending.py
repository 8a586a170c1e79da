"""The end of real boots of a live root: who is told, what is said, and that the machine restarts
once, when all is recorded. In place of the init system's tools there is a script that writes down
how it was called: this machine must not restart.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import tempfile
from typing import Any, Iterator, List

import pytest

from tests.lib.needs_yaml import needs_yaml
from tests.lib.netns import Namespace, wait_until
from tests.real_clients.azure_side import BOOT, ENV, Azure, start_dhcp

pytestmark = [needs_yaml, pytest.mark.long]

TOOLS = ("shutdown", "reboot", "poweroff", "halt", "systemctl", "openrc-shutdown")
FOLDERS = ("/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/bin")
INSTANCE = "/var/lib/lightinit/instance"
DOWN = """#!/bin/sh
[ "${0##*/}" = shutdown ] || exit 1
{ printf '%%s|' "$@"; ls %s/sem/module.power_state; grep -c '"power_state"' %s/result.json
} >>/var/log/down 2>&1
""" % (INSTANCE, INSTANCE)
SERVER = """
import http.server, sys
class Answers(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with open(sys.argv[1], "a") as heard:
            heard.write(self.path + " " + body + "\\n")
        self.send_response(503 if len(open(sys.argv[1]).readlines()) == 1 else 200)
        self.end_headers()
server = http.server.HTTPServer(("10.99.0.1", 8080), Answers)
print("listening", flush=True)
server.serve_forever()
"""
CONFIG = """#cloud-config
power_state: {mode: reboot, delay: 1, message: Bye, condition: test -d /home/alice}
final_message: "up $UPTIME, \\e[2J$DATASOURCE"
phone_home: {url: "http://10.99.0.1:8080/SECRET/$INSTANCE_ID", post: [hostname, pub_key_ed25519]}
"""


def restarts(vm: Namespace) -> List[str]:
    return vm.run("sh", "-c", "cat /var/log/down 2>/dev/null || true").splitlines()


def replace_tools(vm: Namespace) -> None:
    """A script in place of each tool that could restart this machine."""
    vm.write("/home/down", DOWN, 0o755)
    vm.run("mount", "-t", "tmpfs", "none", "/usr/local/sbin")
    vm.run("cp", "/home/down", "/usr/local/sbin/shutdown")
    real = {os.path.realpath("%s/%s" % (folder, tool)) for folder in FOLDERS for tool in TOOLS}
    for path in filter(os.path.exists, real):
        vm.run("mount", "--bind", "/home/down", path)


@pytest.fixture
def disk() -> Iterator[str]:
    """A folder that a restart does not empty."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        yield folder


def test_a_boot_ends_as_its_cloud_config_says(azure: Azure, vm: Namespace, disk: str) -> None:
    replace_tools(vm)
    vm.run("mount", "--bind", disk, "/var/lib/lightinit")
    heard, log = azure.folder / "heard", azure.folder / "server.log"
    config = base64.b64encode(CONFIG.encode()).decode()
    azure.start(userData=config)
    start_dhcp(azure, vm)
    azure.machine.start(sys.executable, "-c", SERVER, str(heard), log=log)
    wait_until(lambda: "listening" in log.read_text(), 60, "no server")
    vm.run(*BOOT, "--background", env=ENV)
    wait_until(lambda: is_over(vm), 60, "it does not end")
    said = vm.run("cat", "/var/log/lightinit.log")
    wait_until(lambda: len(restarts(vm)) >= 2, 60, said)

    assert restarts(vm) == [
        "-r|--|+1|Bye|%s/sem/module.power_state" % INSTANCE,
        "1",
    ]
    (report,) = azure.posts()
    assert "<State>Ready</State>" in report["body"]
    posts = heard.read_text().splitlines()  # the first one was refused
    path, _, form = posts[-1].partition(" ")
    assert len(posts) >= 2 and len(set(posts)) == 1
    assert path.startswith("/SECRET/") and len(path) > 40
    assert form.startswith("hostname=web-1&pub_key_ed25519=ssh-ed25519+AAAA")
    assert "SECRET" not in said and "\x1b" not in said
    assert "\\x1b[2Jazure" in said and "attempt 1: post failed" in said
    steps = [step["name"] for step in result(vm)["steps"] if step["kind"] == "module"]
    assert steps[-3:] == ["phone_home", "final_message", "power_state"]
    # That /etc and /home are in memory here is another matter.
    assert [each for each in result(vm)["warnings"] if "in memory" not in each] == []

    vm.run("rm", "-rf", "/run/lightinit")
    vm.run(*BOOT, env=ENV)
    assert len(restarts(vm)) == 2, "once an instance"


def is_over(vm: Namespace) -> bool:
    status = vm.run("cat", "/run/lightinit/status.json")
    return json.loads(status)["status"] != "running"


def result(vm: Namespace) -> Any:
    return json.loads(vm.run("cat", INSTANCE + "/result.json"))
