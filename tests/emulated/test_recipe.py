"""The public recipe's own three acts: report ready, set the host name from IMDS, never again."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import typing
from typing import Any, Sequence, Tuple

from lightinit.emulator import Platform
from lightinit.settings.shipped import SHIPPED
from tests.emulated.boots import late_health, let_go, report_is_held
from tests.lib.netns import wait_until
from tests.lib.scratch import FILES, HERE, OTHER_UUID, UUID, Machine

IMPORTED = "all that comes later is imported"
INSTANCE = {
    "compute": {
        "name": "web-1",
        "vmId": UUID,
        "osProfile": {"computerName": "web-1", "adminUsername": "alice"},
        "userData": "",
    }
}


def test_act_one_report_ready(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    with Platform(instance=INSTANCE) as platform:
        machine.lead_to(platform)
        ended = machine.run("boot")
        assert ended.returncode == 0, ended.stderr
        assert [(report["state"], report["accepted"]) for report in platform.final_reports] == [
            ("Ready", True)
        ]
        # Ready comes last: after everything else was asked and done.
        assert platform.requests[-1]["method"] == "POST"
    assert machine.run("status").returncode == 0
    assert machine.json("/var/lib/lightinit/instance/result.json")["reported"] == "Ready"


def test_act_two_the_host_name_comes_from_imds(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    with Platform(
        instance={"compute": {"name": "only-the-name", "osProfile": {"computerName": ""}}}
    ) as platform:
        machine.lead_to(platform)
        assert machine.run("boot").returncode == 0
    assert machine.read("/etc/hostname") == "only-the-name\n"
    assert "127.0.0.1\tlocalhost\n" in machine.read("/etc/hosts")
    assert "only-the-name" in machine.read("/etc/hosts")


def test_act_three_never_again(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    with Platform(instance=INSTANCE) as platform:
        machine.lead_to(platform)
        assert machine.run("boot").returncode == 0
        sent, tree = len(platform.requests), machine.tree()
        for boot_id in (
            "22222222-2222-4222-8222-222222222222",
            "33333333-3333-4333-8333-333333333333",
        ):
            machine.put("/proc/sys/kernel/random/boot_id", boot_id + "\n")
            ended = machine.run("boot")
            assert ended.returncode == 0
            assert "nothing to do" in ended.stderr
        assert len(platform.requests) == sent
        machine.put("/proc/sys/kernel/random/boot_id", "11111111-1111-4111-8111-111111111111\n")
        assert machine.tree() == tree, "a later boot writes nothing"


def test_the_account_is_there_before_ready(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    # The platform takes its time with the answer: while it has Ready and lightinit waits, the disk
    # is looked at.
    with Platform(scenario=late_health(["Ready"]), instance=INSTANCE) as platform:
        machine.lead_to(platform)
        process = machine.start("boot")
        assert platform.wait_for(lambda it: report_is_held(machine, it), 60)
        assert not machine.exists("/var/lib/lightinit/instance/sem/stage.final")
        assert machine.exists("/home/alice/.ssh/authorized_keys")
        assert machine.read("/etc/hostname") == "web-1\n"
        assert "alice:" in machine.read("/etc/passwd")
        let_go(platform)
        process.communicate(timeout=120)
        assert process.returncode == 0


def test_a_new_instance_id_runs_all_again(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    with Platform(instance=INSTANCE) as platform:
        machine.lead_to(platform)
        assert machine.run("boot").returncode == 0
    machine.put("/sys/class/dmi/id/product_uuid", OTHER_UUID + "\n")
    with Platform(
        instance={
            "compute": {
                "name": "web-2",
                "vmId": OTHER_UUID,
                "osProfile": {"computerName": "web-2", "adminUsername": "bob"},
            }
        }
    ) as platform:
        machine.lead_to(platform)
        ended = machine.run("boot")
        assert ended.returncode == 0, ended.stderr
        assert platform.ready_count == 1
    assert machine.read("/etc/hostname") == "web-2\n"
    assert "bob:" in machine.read("/etc/passwd") and "alice:" in machine.read("/etc/passwd")
    assert os.path.exists(machine.root + "/home/bob/.ssh/authorized_keys")
    assert sorted(os.listdir(machine.root + "/var/lib/lightinit/instances")) == sorted(
        [UUID, OTHER_UUID]
    )
    assert os.readlink(machine.root + "/var/lib/lightinit/instance") == "instances/" + OTHER_UUID


def test_going_back_to_an_instance_that_is_done_does_nothing(tmp_path: Any) -> None:
    machine = Machine(tmp_path)
    with Platform(instance=INSTANCE) as platform:
        machine.lead_to(platform)
        for uuid in (UUID, OTHER_UUID, UUID.upper()):
            machine.put("/sys/class/dmi/id/product_uuid", uuid + "\n")
            assert machine.run("boot").returncode == 0
        assert platform.ready_count == 2


def test_a_first_boot_does_without_the_compiler(tmp_path: Any) -> None:
    """The module dataclasses imports inspect, ast and dis, and each of its classes is compiled at
    the import. typing.NamedTuple costs a tenth of it, and lightinit.model's a tenth of that.
    """
    machine = Machine(tmp_path)
    with Platform(instance=INSTANCE) as platform:
        machine.lead_to(platform)
        ended = machine.run("boot", env={"PYTHONPROFILEIMPORTTIME": "1"})
        assert ended.returncode == 0, ended.stderr
    imported = {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()}
    assert {"lightinit.pipeline", "lightinit.formats.azure.ovf"} <= imported
    # Other libraries, and newer Pythons' own, may use them.
    for name in sorted(each for each in imported if each.startswith("lightinit.")):
        module = importlib.import_module(name)
        assert not {"dataclass", "dataclasses", "inspect", "ast"} & set(vars(module)), name
        assert vars(module).get("NamedTuple") is not typing.NamedTuple, name


def test_modules_find_all_imported_in_a_boot_that_goes_on(tmp_path: Any) -> None:
    """They have threads beside them, and two threads that import can wait for each other for ever.
    No answer is waited for here, during which the rest is imported otherwise.
    """
    machine = Machine(tmp_path)
    with Platform(instance=INSTANCE) as platform:
        machine.lead_to(platform)
        for stage in ("local", "fetch"):
            assert machine.run("stage", stage).returncode == 0
        ended = machine.run("boot", env={"PYTHONPROFILEIMPORTTIME": "1"})
        assert ended.returncode == 0, ended.stderr
    before, ran, after = ended.stderr.partition("] module entropy ")
    assert ran and "lightinit.host.accounts.grant" in before
    config = after.partition("] stage  config")[0]
    assert "] module users " in config and "import time:" not in config


def test_what_needs_a_network_is_imported_while_one_is_waited_for(tmp_path: Any) -> None:
    """Before the wait, the host keys cannot begin and no lease is noticed. After it, each
    import would delay Ready.
    """
    lease = "/var/lib/dhcp/dhclient.eth0.leases"
    machine = Machine(tmp_path, without=[lease])
    machine.put("/etc/lightinit/conf.d/20-debug.conf", "[lightinit]\nlog_level = debug\n")
    log = tmp_path / "log"
    with Platform(instance=INSTANCE) as platform, log.open("w") as output:
        machine.lead_to(platform)
        program = [HERE + "/lightinit/__main__.py", "boot", "--root", machine.root]
        argv = [sys.executable, "-I", "-S", "-X", "importtime"] + program
        with subprocess.Popen(argv, stderr=output) as boot:
            wait_until(lambda: IMPORTED in log.read_text(), 60, "it does not import")
            machine.put(lease, FILES[lease])
            assert boot.wait(60) == 0
        assert platform.ready_count == 1
    said = log.read_text()
    before, waits, later = said.partition("waiting for a DHCP lease")
    meanwhile, imported_all, after = later.partition(IMPORTED)
    assert waits and imported_all and " local " in after, said
    imported, late, too_late = (
        {line.rpartition("|")[2].strip() for line in text.splitlines() if "import time:" in line}
        for text in (before, meanwhile, after)
    )
    assert "lightinit.stages.network" in imported
    needless = {"argparse", "email", "hashlib", "http.client", "shutil", "ssl", "subprocess"}
    needless |= {"dataclasses", "inspect", "pyexpat", "requests.sessions", "urllib.parse"}
    # Of the modules, only what begins their work; of the datasource, only the search for media.
    needless |= {"lightinit.datasources.azure.clients", "lightinit.formats.accounts.privileges"}
    needless |= {"lightinit.formats.certificates.ciphers", "lightinit.formats.user_data"}
    needless |= {"lightinit.formats.dhcp.dhclient", "lightinit.host.network.http"}
    assert needless & imported == set()
    # What importlib.import_module() was called for is not listed, but all that this imports is.
    assert {"http.client", "requests.sessions", "pyexpat", "lightinit.formats.user_data"} <= late
    own = [name for name in imported if name.startswith("lightinit")]
    assert len(own) <= 125, len(own)
    assert too_late == set()


# What only user data make necessary, besides the modules that only they ask for.
OF_USER_DATA = (
    "jinja2",
    "lightinit.accounts.given",
    "lightinit.cloud_config",
    "lightinit.disks",
    "lightinit.files",
    "lightinit.formats.cloud_config",
    "lightinit.formats.packages",
    "lightinit.formats.services",
    "lightinit.formats.user_parts",
    "lightinit.hooks.run",
    "lightinit.host.packages",
    "lightinit.host_keys.given",
    "lightinit.package_sources",
    "lightinit.user_data.parts",
    "lightinit.user_data.scripts",
    "yaml",
)


# A quarter of the memory. Older Pythons take random numbers' hash function from hashlib.
OF_OTHER_HTTP: Tuple[str, ...] = ("ssl", "_ssl", "chardet", "charset_normalizer")
if sys.version_info >= (3, 9):
    OF_OTHER_HTTP += ("_hashlib",)


def test_without_user_data_nothing_of_theirs_is_imported(tmp_path: Any) -> None:
    """docs/bench.md, "Imports", counts what such a boot costs."""
    tells = "import sys; from lightinit.cli import main; code = main(sys.argv[1:]);"
    tells += " print(*sys.modules); sys.exit(code)"
    machine = Machine(tmp_path)
    with Platform(instance=INSTANCE) as platform:
        machine.lead_to(platform)
        ended = subprocess.run(
            [sys.executable, "-c", tells, "boot", "--root", machine.root],
            cwd=HERE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
            timeout=300,
        )
        assert ended.returncode == 0 and platform.ready_count == 1, ended.stderr
    imported = set(ended.stdout.split())
    needless = (
        OF_USER_DATA
        + OF_OTHER_HTTP
        + tuple("lightinit.modules." + name for name, declared in SHIPPED.items() if declared.asked)
    )
    assert {name for name in imported if (name + ".").startswith(dots(needless))} == set()
    own = [name for name in imported if name.startswith("lightinit")]
    assert len(own) <= 270, len(own)


def dots(names: Sequence[str]) -> Tuple[str, ...]:
    return tuple(name + "." for name in names)
