"""What the config stage works on, with the module custom_data that executes custom data."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from lightinit.host.system import System
from lightinit.model import Instance
from lightinit.pipeline import Context
from tests.lib.context import make_context
from tests.lib.stand_in import LiveRoot


def context_of(
    root: Path, instance_id: str, text: str, more: str = "", system: Optional[System] = None
) -> Context:
    """The context of one boot.

    Args:
        root: the machine.
        instance_id: the instance that is current from now on.
        text: its custom data, as the platform gives them.
        more: more lines of the module's section.
        system: the machine, if it is another one than a LiveRoot.
    """
    (root / "etc/lightinit").mkdir(parents=True, exist_ok=True)
    (root / "etc/lightinit/lightinit.conf").write_text("[module.scripts]\n" + more)
    context = make_context(system or LiveRoot(root))
    context.use_instance(instance_id)
    assert context.state is not None
    context.state.make_current()
    context.instance = Instance(instance_id, custom_data=text)
    return context
