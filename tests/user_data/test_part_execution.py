"""Scripts in containers: each is executed at most once, or as often as it says."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import List

import pytest

from lightinit.cloud_config.choice import BOTH
from lightinit.errors import ProvisioningError
from lightinit.model import Instance, Outcome
from lightinit.modules import scripts
from lightinit.pipeline import StepResult
from lightinit.stages.config import run_module
from lightinit.stages.selection.module_list import frequency_of, pending_after_ready
from tests.lib.custom_data import CUSTOM, apply, b64
from tests.lib.http_server import Server, says
from tests.lib.mime_document import multipart
from tests.lib.module_context import context_of
from tests.lib.stand_in import LiveRoot


def script(root: Path, word: str, more: str = "") -> str:
    return "#!/bin/sh\necho %s >>%s/ran\n%s\n" % (word, root, more)


def ran(root: Path) -> List[str]:
    path = root / "ran"
    return path.read_text().split() if path.exists() else []


def boot(root: Path, boot_id: str, custom: str, user: str = "") -> Outcome:
    system = LiveRoot(root)
    system.write("/proc/sys/kernel/random/boot_id", boot_id.encode() + b"\n")
    return apply(system, custom, user, "both")


@pytest.mark.parametrize(
    "data",
    [b"\xef\xbb\xbf%s", b"\r\n%s", b"#cloud-boothook\n%s"],
    ids=["bom", "blank line", "boothook"],
)
def test_what_surrounds_a_script_is_removed(tmp_path: Path, data: bytes) -> None:
    text = script(tmp_path, "x").replace("\n", "\r\n").encode()
    assert boot(tmp_path, "1", b64(data % text)).message == "custom data kept; custom data executed"
    assert ran(tmp_path) == ["x"] and (tmp_path / CUSTOM).read_bytes() == data % text


def test_the_parts_of_a_multipart_in_order(tmp_path: Path) -> None:
    data = multipart(
        "x-shellscript:a " + script(tmp_path, "a"),
        "cloud-config a: 1",
        "x-shellscript:b " + script(tmp_path, "b", "exit 3"),
        "x-shellscript:c " + script(tmp_path, "c", "echo $INSTANCE_ID >>%s/ran" % tmp_path),
        "cloud-boothook:d " + script(tmp_path, "d"),
        "x-shellscript:e echo",
    )
    text = base64.b64encode(data).decode()
    with pytest.raises(ProvisioningError) as raised:
        boot(tmp_path, "1", text)
    assert raised.value.details["which"] == "custom data, part 3 (b)"
    assert raised.value.details["status"] == "3"
    assert ran(tmp_path) == ["d", "a", "b", "c", "the-id"]
    with pytest.raises(ProvisioningError, match="custom data is not a script"):
        boot(tmp_path, "1", text)
    assert ran(tmp_path) == ["d", "a", "b", "c", "the-id"], "each once"


def test_a_part_that_is_elsewhere_is_not_executed_again(tmp_path: Path) -> None:
    """The document has changed, and so have the places. What is new is executed; what is there
    twice, twice.
    """
    a, b = script(tmp_path, "a"), script(tmp_path, "b")
    first = boot(tmp_path, "1", b64(multipart("x-shellscript " + a)))
    assert first == Outcome("custom data kept; 1 of 1 scripts of the custom data executed")
    parts = ["x-shellscript:%d %s" % (at, text) for at, text in enumerate((b, a, b))]
    second = boot(tmp_path, "1", b64(multipart(*parts)))
    assert second == Outcome(
        "custom data kept; 2 of 3 scripts of the custom data executed, 1 before"
    )
    assert ran(tmp_path) == ["a", "b", "b"]


def test_a_failed_part_is_told_and_not_executed_again(tmp_path: Path) -> None:
    data = b64(multipart("x-shellscript:a " + script(tmp_path, "a", "exit 1")))
    with pytest.raises(ProvisioningError, match="custom data script failed"):
        boot(tmp_path, "1", data)
    found = boot(tmp_path, "2", data, b64(script(tmp_path, "user")))
    assert re.match(r"custom data, part 1 \(a\) script began at .* failed with", found.warnings[0])
    assert found.warnings[1:] == ("user data not executed, because custom data, part 1 (a) failed",)
    assert ran(tmp_path) == ["a"]


def test_each_as_often_as_it_says(tmp_path: Path) -> None:
    data = multipart(
        "x-shellscript-per-once " + script(tmp_path, "once"),
        "x-shellscript-per-boot " + script(tmp_path, "boot"),
        "x-shellscript-per-instance " + script(tmp_path, "instance"),
        "x-shellscript " + script(tmp_path, "plain"),
    )
    done = []
    for name, boot_id in (("a", "1"), ("a", "2"), ("b", "3"), ("b", "4")):
        (tmp_path / "proc/sys/kernel/random").mkdir(parents=True, exist_ok=True)
        (tmp_path / "proc/sys/kernel/random/boot_id").write_text(boot_id + "\n")
        context = context_of(tmp_path, name, b64(data))
        assert pending_after_ready(context) == ["scripts"]
        assert run_module(context, "scripts").result is StepResult.OK
        assert "scripts" not in pending_after_ready(context), "it is done for this boot"
        assert run_module(context, "scripts").result is StepResult.ALREADY
        assert frequency_of(context, "scripts").value == "boot", "so Python starts at each boot"
        done.append(ran(tmp_path))
        (tmp_path / "ran").unlink()
    later = ["boot"]
    assert done == [
        ["once", "boot", "instance", "plain"],
        later,
        ["boot", "instance", "plain"],
        later,
    ]
    assert run_module(context, "scripts", force=True).result is StepResult.OK
    assert ran(tmp_path) == ["boot", "instance", "plain"]


def test_when_nothing_is_per_boot_any_more(tmp_path: Path) -> None:
    system = LiveRoot(tmp_path)
    mark = tmp_path / "var/lib/lightinit/instance/sem/module.scripts+each-boot"
    for kind, there in (("-per-boot", True), ("", False)):
        data = b64(multipart("x-shellscript%s #!/bin/sh\n" % kind))
        instance = Instance("the-id", custom_data=data)
        scripts.apply(instance, system, {"documents": BOTH, "timeout_s": 60.0})
        assert mark.exists() is there


def test_a_container_that_is_not_named_is_not_even_expanded(tmp_path: Path) -> None:
    data = b64(b"#include\nhttp://127.0.0.1:9/x\n")
    assert apply(LiveRoot(tmp_path), data).warnings == (
        "custom data kept and not run (#include): the settings say so (`user_data` of [lightinit])",
    )
    found = apply(LiveRoot(tmp_path), data, execute="both")
    assert found.message == "custom data kept"
    assert "part 1 (http://127.0.0.1:9/x) is left out: connection refused" in found.warnings[0]


def test_scripts_from_a_real_server(tmp_path: Path) -> None:
    """With a redirect and a page that is not there. What was fetched once is not fetched again."""
    body = script(tmp_path, "included").encode()
    answer = says(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    there = Server(answer)
    moved = Server(says(b"HTTP/1.1 302 X\r\nLocation: %s\r\n\r\n" % there.url.encode(), True))
    gone = Server(says(b"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n"))
    parts = ["x-include-url %s?SECRET\n%s\n" % (moved.url, gone.url)]
    data = b64(multipart(*parts, "x-shellscript " + script(tmp_path, "last")))
    first = boot(tmp_path, "1", data)
    assert first.message == "custom data kept; 2 of 2 scripts of the custom data executed"
    assert len(first.warnings) == 1 and "part 1.2 (%s) is left out" % gone.url in first.warnings[0]
    assert "status=404" in first.warnings[0] and "SECRET" not in first.warnings[0]
    second = boot(tmp_path, "2", data)
    assert (
        second.message == "custom data kept; 0 of 2 scripts of the custom data executed, 2 before"
    )
    assert ran(tmp_path) == ["included", "last"]
    assert [len(each.requests) for each in (moved, there, gone)] == [1, 1, 2]
    for server in (there, moved, gone):
        server.close()
