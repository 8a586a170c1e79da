"""What is told of user data and their parts: how each ended, and no content."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Dict, List, Sequence

import pytest

from lightinit.errors import ProvisioningError
from lightinit.host.system import System
from lightinit.model import Instance
from lightinit.modules import bootcmd, scripts
from lightinit.user_data import overview
from lightinit.user_data.overview import DocumentView, PartView
from tests.lib.mime_document import multipart
from tests.lib.needs_yaml import needs_yaml
from tests.lib.stand_in import LiveRoot

BOTH = ("custom data", "user data")
CONFIG = (
    "users:\n- {name: bob, passwd: SECRET}\nruncmd: ['curl -H SECRET x', {a: SECRET}]\nfoo: 1\n"
)
DATA = multipart(
    "cloud-config:a.yaml " + CONFIG,
    "x-shellscript:b.sh #!/bin/sh\nexit 3 # SECRET\n",
    "cloud-boothook:c.sh #cloud-boothook\n#!/bin/sh\ntrue\n",
    "x-include-url #include\nhttp://127.0.0.1:9/x?SECRET\n",
    "cloud-config:d.yaml : :\n- SECRET\n",
    'plain:e {"ignition": {"version": "3.4.0"}, "x": "SECRET"}\n',
)


def view(system: System, custom: bytes, documents: Sequence[str] = BOTH) -> List[DocumentView]:
    text = base64.b64encode(custom).decode()
    return overview.view(system, Instance("the-id", custom_data=text), documents)


def files_of(root: Path) -> Dict[str, bytes]:
    found = {}
    for folder, _, names in os.walk(str(root)):
        found.update({name: Path(folder, name).read_bytes() for name in names})
    return found


@needs_yaml
def test_each_part_is_told_and_no_content(tmp_path: Path) -> None:
    system = LiveRoot(tmp_path)
    text = base64.b64encode(DATA).decode()
    settings = {"documents": BOTH, "timeout_s": 0.0, "bootcmd": "#!/bin/sh\nexit 1\n"}
    with pytest.raises(ProvisioningError, match="custom data script failed"):
        bootcmd.apply(Instance("the-id", custom_data=text), system, settings)
    with pytest.raises(ProvisioningError, match="custom data script failed"):
        scripts.apply(Instance("the-id", custom_data=text), system, settings)
    before = files_of(tmp_path)
    (found,) = view(system, DATA)
    assert files_of(tmp_path) == before, "it only looks"
    assert (found.name, found.kind, found.size_bytes) == ("custom data", "MIME", len(DATA))
    config, second, third, broken = found.parts
    assert config.keys == ("users", "runcmd", "foo")
    assert [text.partition(",")[0] for text in config.mistakes] == ["line 2", "line 3", "line 4"]
    assert second.name == "custom data, part 2 (b.sh)"
    assert second.ended.startswith("failed with status 3, began at 2")
    assert third.ended.startswith("done, began at 2")
    assert broken.ended == "no effect" and len(broken.mistakes) == 1
    fetched, ignition = found.warnings
    assert "download was not kept" in fetched and "not supported" in ignition
    assert "SECRET" not in repr(found)
    (commands,) = overview.describe_commands(system).items()
    assert commands[0] == "bootcmd" and commands[1].startswith("failed with status 1, began at 2")


def test_what_the_settings_leave_aside(tmp_path: Path) -> None:
    script = b"#!/bin/sh\ntrue\n"
    kept = PartView("custom data", "script", len(script), "kept only")
    assert view(System(str(tmp_path)), script, ())[0].parts == (kept,)
    assert view(System(str(tmp_path)), script)[0].parts == (kept._replace(ended="not executed"),)
    assert view(System(str(tmp_path)), b"") == []


def test_what_is_no_user_data(tmp_path: Path) -> None:
    damaged = overview.view(System(str(tmp_path)), Instance("x", user_data="%%%"), BOTH)
    assert damaged[0].parts == () and "base64" in damaged[0].warnings[0]
