"""The stamp: a later boot that finds it knows at once that there is nothing to do.

``quick.py`` and the shell script ``init/check`` read it. It is a text of lines ``KEY=VALUE``:

- ``instance``: the instance id, for the log.
- ``uuid``: DMI's product_uuid, if it is not written like the instance id. A VM with another one is
  another instance.
- ``anchor``, ``volume``: what names the instance, if that is not DMI's product_uuid; see
  :mod:`lightinit.datasources.anchors`. Then there is no ``uuid``.
- ``version``: lightinit's. The script has a copy of its own, which it need not read from a file.
- ``file``: mark and name of a settings file; see :class:`lightinit.settings.Settings`. The name is
  relative to /etc/lightinit.

It is short because a shell reads it byte by byte, with a system call for each.
"""

from __future__ import annotations

from typing import List, Optional

from lightinit import __version__
from lightinit.datasources import anchors
from lightinit.formats.instance_id import same_instance
from lightinit.host.identity import read_dmi
from lightinit.model import Frequency
from lightinit.pipeline import Context
from lightinit.settings import Settings, files
from lightinit.stages.pending import pending
from lightinit.stages.selection.module_list import frequency_of, listed, listed_after_ready


def keep_stamp(context: Context) -> None:
    """Write the stamp if nothing is pending and no module runs at every boot; else remove it.

    Raises:
        ProvisioningError: it could not be written or removed.
    """
    if context.state is None:
        return
    path = context.state.folder + "/provisioned"
    every_boot = [
        name
        for name in listed(context) + listed_after_ready(context)
        if frequency_of(context, name) is Frequency.BOOT
    ]
    identity = _describe_identity(context)
    if every_boot or identity is None or pending(context):
        context.system.remove(path)
        return
    data = _text(context, identity).encode("utf-8", "surrogateescape")
    if context.system.read_text(path) != data.decode("utf-8", "replace"):
        context.system.write(path, data, follow_last=False, held=True)


def _text(context: Context, identity: List[str]) -> str:
    lines = ["instance=" + context.instance_id, *identity, "version=" + __version__]
    lines += file_lines(context.settings)
    return "".join(line + "\n" for line in lines)


def _describe_identity(context: Context) -> Optional[List[str]]:
    """The stamp's lines about what names the instance; None if each boot must ask."""
    source = context.datasource
    if source is not None and source.anchors():
        return anchors.describe(context.system, source) or None
    uuid = read_dmi(context.system).product_uuid or ""
    if not same_instance(uuid, context.instance_id):
        return None
    return [] if uuid == context.instance_id else ["uuid=" + uuid]


def file_lines(settings: Settings) -> List[str]:
    """The stamp's lines about the settings files."""
    return [
        "file=" + mark.replace(files.FOLDER + "/", "") for mark in settings.fingerprint.splitlines()
    ]
