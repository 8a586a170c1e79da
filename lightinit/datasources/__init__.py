"""The table of the datasources that lightinit ships.

A datasource is a subclass of :class:`lightinit.datasources.base.Datasource`.
"""

from __future__ import annotations

import importlib
from typing import Any, Dict, Tuple, Type

from lightinit.datasources.base import Datasource
from lightinit.errors import ProvisioningError
from lightinit.settings import AUTO, Setting, nearest

# Each name is that of the datasource's folder, and of its section in the settings. The folder has
# settings.py with its keys. With ``datasource = auto``, detect.py asks them in this order.
DATASOURCES: Dict[str, str] = {
    "azure": "lightinit.datasources.azure.datasource:AzureDatasource",
    "nocloud": "lightinit.datasources.nocloud.datasource:NoCloudDatasource",
    "configdrive": "lightinit.datasources.configdrive.datasource:ConfigDriveDatasource",
    "openstack": "lightinit.datasources.openstack.datasource:OpenStackDatasource",
    "ec2": "lightinit.datasources.ec2.datasource:Ec2Datasource",
}


def find_settings(name: str) -> Tuple[Setting, ...]:
    """The keys of a datasource's section. One that lightinit ships is not imported for it.

    Args:
        name: as for :func:`load`, or ``auto``, which has none.

    Raises:
        ProvisioningError: as :func:`load`.
    """
    if name == AUTO:
        return ()
    if name not in DATASOURCES:
        return tuple(getattr(load(name), "SETTINGS", ()))
    return tuple(importlib.import_module("lightinit.datasources.%s.settings" % name).SETTINGS)


def load(name: str) -> Type[Datasource]:
    """The datasource class called ``name``.

    Args:
        name: a name in the table, or the full name of a class to import:
            ``package.module:Class`` or ``package.module.Class``.

    Raises:
        ProvisioningError: there is none of that name, it cannot be imported, or it is not a
            datasource.
    """
    found = _import(name)
    if not isinstance(found, type) or not issubclass(found, Datasource):
        raise ProvisioningError(
            "not a datasource",
            name=name,
            hint="it must be a class that inherits lightinit.datasources.base.Datasource;"
            " docs/datasources.md has an example",
        )
    return found


def _import(name: str) -> Any:
    target = DATASOURCES.get(name, name)
    if "." not in target:
        raise ProvisioningError(
            "unknown datasource",
            name=name,
            nearest=nearest(name, DATASOURCES, cutoff=0.0),
            hint="known are: " + ", ".join(sorted(DATASOURCES)),
        )
    module, colon, attribute = target.partition(":")
    if not colon:
        module, _, attribute = target.rpartition(".")
    if name not in DATASOURCES:
        from lightinit.host.network.http_adapter import share_with

        share_with(name)
    try:
        return getattr(importlib.import_module(module), attribute)
    except (Exception, SystemExit) as error:  # a site's own file runs here, and may do anything
        raise ProvisioningError(
            "datasource cannot be imported",
            name=name,
            error="%s: %s" % (type(error).__name__, error),
        ) from error
