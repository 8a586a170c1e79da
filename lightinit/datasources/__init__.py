"""Datasources: a cloud in, an Instance out. The table is explicit: what is not in it is not there.

A datasource is a class with a tuple ``SETTINGS`` of :class:`lightinit.settings.Setting`, a
constructor ``(network, options, clock, on_request, system, begun)``, and the methods
``fetch(instance_id, announce)``, ``vm_id()``, ``report_ready()`` and ``report_failure(error, vm_id,
description)`` of :class:`lightinit.datasources.azure.datasource.AzureDatasource`. Its ``begin``,
``before_report``, ``pool_type`` and ``documents`` may be left out; with a ``pool_type`` it needs
``report_to_pool``, ``imds``, ``succeed`` and ``adopt`` as well.
"""

from __future__ import annotations

import importlib
from typing import Any

from lightinit.errors import ProvisioningError
from lightinit.settings import nearest

DATASOURCES = {"azure": "lightinit.datasources.azure.datasource:AzureDatasource"}


def load(name: str) -> Any:
    """The datasource class called ``name``.

    Args:
        name: one of the table's, or, with a dot in it, a place to import as it stands:
            ``package.module:Class``, or ``package.module.Class``.

    Raises:
        ProvisioningError: there is none of that name, or it cannot be imported.
    """
    target = name if "." in name else DATASOURCES.get(name)
    if target is None:
        raise ProvisioningError(
            "unknown datasource",
            name=name,
            nearest=nearest(name, DATASOURCES, cutoff=0.0),
            hint="known are: " + ", ".join(sorted(DATASOURCES)),
        )
    module, _, attribute = target.rpartition(":" if ":" in target else ".")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (Exception, SystemExit) as error:  # a site's own file is run here, and may do anything
        raise ProvisioningError(
            "datasource cannot be imported",
            name=name,
            error="%s: %s" % (type(error).__name__, error),
        ) from error
