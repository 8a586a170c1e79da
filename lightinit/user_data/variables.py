"""The variables of templates, under the names that cloud-init gives them.

Source: cloud-init's documentation, "Instance metadata".
"""

from __future__ import annotations

import os
import platform
from typing import Any, Dict, Mapping

from lightinit.formats.assignments import read_assignment
from lightinit.host.system import System
from lightinit.model import Instance

_IMDS = "imds"
IMDS = "imds (http://169.254.169.254/metadata)"
# What cloud-init calls a variant, where it is not the distribution's own id.
VARIANTS = {
    "linuxmint": "ubuntu",
    "mint": "ubuntu",
    "opensuse-leap": "suse",
    "opensuse-tumbleweed": "suse",
    "opensuse": "suse",
    "sles": "suse",
}
SECRET = ("userData", "customData")


def make(system: System, instance: Instance) -> Dict[str, Any]:
    """Make the variables: ``v1``, ``ds`` and ``sys_info``, and those of ``v1`` at the top as well.
    A name with a hyphen or a dot has an alias with underscores. No password is among them.
    """
    v1 = _standard(system, instance)
    metadata = _find_metadata(instance)
    sys_info = {
        "dist": [v1["distro"], v1["distro_version"], v1["distro_release"]],
        "platform": platform.platform(),
        "python": v1["python_version"],
        "release": v1["kernel_release"],
        "system": "Linux",
        "uname": list(os.uname()),
        "variant": v1["variant"],
    }
    found = {"v1": v1, "ds": {"meta_data": metadata}, "sys_info": sys_info, **v1}
    return dict(_with_aliases(found))


def _standard(system: System, instance: Instance) -> Dict[str, Any]:
    release = system.read_text("/etc/os-release") or system.read_text("/usr/lib/os-release")
    distro = read_assignment(release, "ID") or "unknown"
    given = instance.admin.ssh_keys if instance.admin else instance.public_keys
    keys = [key.text for key in given]
    return {
        "availability-zone": _find_zone(instance),
        "cloud-name": instance.platform,
        "cloud_id": instance.platform,
        "distro": distro,
        "distro_release": read_assignment(release, "VERSION_CODENAME") or "",
        "distro_version": read_assignment(release, "VERSION_ID") or "",
        "instance-id": instance.id,
        "kernel_release": os.uname().release,
        "local-hostname": next(iter(instance.hostnames), ""),
        "local_hostname": next(iter(instance.hostnames), ""),
        "machine": os.uname().machine,
        "platform": instance.platform,
        "public_ssh_keys": [text for text in keys if text],
        "python_version": platform.python_version(),
        "region": instance.location,
        "subplatform": instance.subplatform or (IMDS if _IMDS in instance.raw else ""),
        "system_platform": platform.platform(),
        "variant": VARIANTS.get(distro, distro),
    }


def _find_metadata(instance: Instance) -> Dict[str, Any]:
    """The platform's document of metadata, or on Azure one that stands for it. A document that does
    not have them gets the id and the host name.
    """
    names = {"instance-id": instance.id, "local-hostname": next(iter(instance.hostnames), "")}
    document = instance.raw.get("meta_data")
    if isinstance(document, dict):
        return {**names, **_without_secrets(document)}
    imds = instance.raw.get(_IMDS)
    return {"imds": _without_secrets(imds) if isinstance(imds, dict) else {}, **names}


def _find_zone(instance: Instance) -> str:
    """The availability zone; on Azure cloud-init takes the fault domain for it."""
    imds = instance.raw.get(_IMDS)
    if not isinstance(imds, dict):
        return instance.zone
    return str(imds.get("compute", {}).get("platformFaultDomain") or "")


def _without_secrets(document: Any) -> Any:
    if isinstance(document, Mapping):
        return {key: _without_secrets(document[key]) for key in document if key not in SECRET}
    return document


def _with_aliases(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_aliases(each) for each in value]
    if not isinstance(value, dict):
        return value
    found = {key: _with_aliases(each) for key, each in value.items()}
    for key in list(found):
        found.setdefault(key.replace("-", "_").replace(".", "_"), found[key])
    return found
