"""What is begun before the wait for the network, and when it is not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from lightinit.host.ssh import early
from lightinit.model import Frequency, Outcome
from lightinit.pipeline import Context
from lightinit.stages import config
from tests.lib.context import make_context
from tests.lib.early_host import EarlyHost, openssh

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="root is needed: files change owners")
CONF = "/etc/lightinit/lightinit.conf"


def make(
    system: EarlyHost, settings: str = "", platform: Any = True, known: bool = True
) -> Context:
    system.put(CONF, settings)
    context = make_context(system)
    context.platform_known = platform
    if known:
        context.use_instance("i-1")
    return context


def is_begun(context: Context) -> bool:
    config.begin_early(context)
    try:
        return early.is_begun(context.system)
    finally:
        early.abandon(context.system)


@pytest.mark.parametrize(
    "modules, begun",
    [
        ("entropy hostname ssh_host_keys users", True),
        ("users ssh_host_keys write_files", True),
        ("write_files ssh_host_keys", False),
        ("write_files ssh_host_keys", False),
        ("mysite.motd ssh_host_keys", False),
        ("hostname users", False),
    ],
)
def test_what_the_operator_puts_before_the_keys_comes_first(
    tmp_path: Path, modules: str, begun: bool
) -> None:
    context = make(openssh(tmp_path), "[lightinit]\nmodules = %s\n" % modules)
    assert is_begun(context) == begun


@pytest.mark.parametrize("platform, known", [(None, True), (None, False), (True, False)])
def test_nothing_is_begun_that_may_not_be_wanted(
    tmp_path: Path, platform: Any, known: bool
) -> None:
    """Where only the network tells, it is begun after the local stage."""
    context = make(openssh(tmp_path), platform=platform, known=known)
    assert not is_begun(context)
    context.platform_known = True
    context.use_instance("i-1")
    assert is_begun(context)


def test_an_instance_that_has_its_keys_begins_none(tmp_path: Path) -> None:
    context = make(openssh(tmp_path))
    assert context.marks is not None
    context.marks.write("module.ssh_host_keys", Frequency.INSTANCE, 1.0, Outcome("made"), 0.0)
    assert not is_begun(context)
    context.use_instance("i-2")
    assert is_begun(context), "a clone has another id"


def test_what_is_begun_is_not_begun_again(tmp_path: Path) -> None:
    """After the local stage it is tried again."""
    context = make(openssh(tmp_path))
    config.begin_early(context)
    there = sorted(os.listdir(context.system.root + "/etc/ssh/.lightinit-new"))
    config.begin_early(context)
    assert sorted(os.listdir(context.system.root + "/etc/ssh/.lightinit-new")) == there
    early.abandon(context.system)
