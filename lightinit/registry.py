"""Finds a module by its name in the settings, and what it declares. A name with a dot is imported
as it is.
"""

from __future__ import annotations

import functools
import importlib
from types import ModuleType
from typing import Any, List, Tuple

from lightinit.errors import ProvisioningError
from lightinit.host.system import System
from lightinit.libraries import is_signal
from lightinit.model import Frequency
from lightinit.settings import Setting, Settings, files, nearest
from lightinit.settings.declaration import Declaration
from lightinit.settings.shipped import SHIPPED

FREQUENCIES = tuple(frequency.value for frequency in Frequency)


def shipped_modules() -> List[str]:
    """The names of the modules that come with lightinit, sorted."""
    return sorted(SHIPPED)


def find_declaration(name: str) -> Declaration:
    """What the module ``name`` declares. One that lightinit ships is not imported for it.

    Raises:
        ProvisioningError: as :func:`load_module`.
    """
    if name in SHIPPED:
        return SHIPPED[name]
    module = load_module(name)
    return Declaration(
        module.NAME,
        module.FREQUENCY,
        module.REQUIRED,
        tuple(getattr(module, "SETTINGS", ())),
        bool(getattr(module, "NEEDS_INSTANCE", True)),
        tuple(getattr(module, "KEPT_IN", ())),
        bool(getattr(module, "OPENS_LOGIN", False)),
        bool(getattr(module, "MAKES_ROOM", False)),
        tuple(getattr(module, "CLOUD_CONFIG", ())),
        bool(getattr(module, "ASKED", False)),
        str(getattr(module, "ASKED_FIELD", "")),
    )


def load_module(name: str) -> Any:
    """Import the module ``name``, with its work, and check that it is one.

    Raises:
        ProvisioningError: there is none, it cannot be imported, or it lacks a part of the contract.
    """
    path = name if "." in name else "lightinit.modules." + name
    if not all(part.isidentifier() for part in path.split(".")):
        raise _unknown(name)
    if path == name:
        from lightinit.host.network.http_adapter import share_with

        share_with(name)
    try:
        module = importlib.import_module(path)
    except ModuleNotFoundError as error:
        if error.name and path.startswith(error.name):
            raise _unknown(name) from None
        raise ProvisioningError("module cannot be imported", module=name, error=error) from error
    except BaseException as error:
        # A module may be anybody's code: it may raise anything on import.
        if is_signal(error):
            raise
        raise ProvisioningError(
            "module cannot be imported",
            module=name,
            error=type(error).__name__,
            said=str(error)[:200],
        ) from error
    if name not in SHIPPED:
        _check_contract(name, module)
    return module


def _unknown(name: str) -> ProvisioningError:
    found = nearest(name, shipped_modules())
    hint = "the shipped ones are: " + ", ".join(shipped_modules())
    if found:
        hint = "did you mean %s?" % found
    return ProvisioningError("no such module", module=name, hint=hint)


def _check_contract(name: str, module: ModuleType) -> None:
    missing = [
        part for part in ("NAME", "FREQUENCY", "REQUIRED", "apply") if not hasattr(module, part)
    ]
    if missing:
        raise ProvisioningError(
            "not a lightinit module",
            module=name,
            lacks=" ".join(missing),
            hint="docs/modules.md tells what a module must have",
        )
    if not isinstance(module.FREQUENCY, Frequency) or not all(
        isinstance(setting, Setting) for setting in getattr(module, "SETTINGS", ())
    ):
        raise ProvisioningError(
            "not a lightinit module",
            module=name,
            wrong="FREQUENCY or SETTINGS",
            hint="FREQUENCY must be a lightinit.model.Frequency, SETTINGS a tuple of Setting",
        )


def module_schema(name: str) -> Tuple[Setting, ...]:
    """The keys that ``[module.NAME]`` may have: those that all modules share, then its own.

    Raises:
        ProvisioningError: as :func:`load_module`.
    """
    declared = find_declaration(name)
    return _make_shared(declared.frequency, declared.required) + declared.settings


@functools.lru_cache(maxsize=None)
def _make_shared(frequency: Frequency, required: bool) -> Tuple[Setting, ...]:
    """The keys that all modules share. Most modules have the same, which are made once."""
    return (
        Setting(
            "frequency",
            "text",
            frequency.value,
            "instance: once per instance. boot: every boot. once: once in the life of the disk.",
            FREQUENCIES,
        ),
        Setting(
            "required",
            "boolean",
            required,
            "yes: if it fails, NotReady is reported. no: if it fails, the boot ends as done with"
            " warnings.",
        ),
    )


def datasource_schema(name: str) -> Tuple[Setting, ...]:
    """The keys of a datasource's own section. A datasource that lightinit ships is not imported.

    Raises:
        LightinitError: there is no such datasource.
    """
    from lightinit import datasources

    return datasources.find_settings(name)


def load_settings(system: System, whole: bool = False) -> Settings:
    """Return the settings of a machine, with the keys of all its modules.

    Args:
        system: the machine.
        whole: whether to give the sections of all datasources that lightinit ships.
    """
    from lightinit.datasources import DATASOURCES

    return files.load(
        system, datasource_schema, module_schema, shipped_modules, tuple(DATASOURCES), whole
    )
