"""The cloud-config of the instance, and which modules its user data ask for."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, List, Optional, Sequence, Tuple

from lightinit.errors import LightinitError
from lightinit.model import Frequency, Instance, Outcome
from lightinit.pipeline import Context, run_step
from lightinit.registry import find_declaration

if TYPE_CHECKING:
    from lightinit.cloud_config.given import GivenConfig

LOG = logging.getLogger("lightinit.config")
CUSTOM_DATA = "custom_data"
ASKED = "asked"


def choose_documents(context: Context) -> Tuple[str, ...]:
    """Which of ``vendor data``, ``custom data`` and ``user data`` take effect, by the settings; and
    by the user data, for vendor data. None do if the settings do not list the module that keeps
    them, or if there are none.
    """
    instance = context.instance
    if instance is None or CUSTOM_DATA not in context.settings.all_modules:
        return ()
    if not (instance.custom_data + instance.user_data + instance.vendor_data).strip():
        return ()
    from lightinit.cloud_config.choice import choose

    section = context.settings.values.get("module." + CUSTOM_DATA, {})
    chosen = choose(context.settings["lightinit"]["user_data"], section.get("execute", ""))
    if not chosen or not instance.vendor_data.strip():
        return chosen
    from lightinit.cloud_config.given import drop_unwanted

    return drop_unwanted(context.system, instance, chosen)


def find_cloud_config(context: Context) -> Optional[GivenConfig]:
    """The cloud-config of the instance, as far as the settings want it to take effect; None if
    there is none. It is read once for what the platform gave. Its mistakes are the warnings of a
    step.
    """
    instance = context.instance
    if instance is None:
        return None
    if context.cloud_config is None or context.cloud_config[0] is not instance:
        documents = choose_documents(context)
        given = _read_cloud_config(context, instance, documents)
        context.cloud_config = (instance, given)
        context.asked = _keep_asked(context, _list_asked(context, instance, documents, given))
    return context.cloud_config[1]


def settle_instance(
    instance: Optional[Instance], given: Optional[GivenConfig]
) -> Optional[Instance]:
    """The instance with the admin that its cloud-config wants, if the platform names none.

    Args:
        instance: None if there is none.
        given: its cloud-config, None if there is none.
    """
    if instance is None or given is None:
        return instance
    if instance.admin is not None and not instance.admin.is_default:
        return instance
    from lightinit.accounts.given.logins import read_logins, settle_admin

    return settle_admin(instance, read_logins(given.values))


def _read_cloud_config(
    context: Context, instance: Instance, documents: Tuple[str, ...]
) -> Optional[GivenConfig]:
    if not documents:
        return None
    from lightinit.cloud_config.given import read_given

    given = read_given(context.system, instance, documents)
    if given is not None:
        outcome = Outcome("cloud-config has %d keys" % len(given.values), given.warnings)
        run_step(context.unmarked(), "check", "cloud-config", Frequency.BOOT, lambda: outcome)
    return given


def find_asked(context: Context) -> Sequence[str]:
    """The modules that run only because the user data of the instance ask for them. While the
    instance's data are not loaded, what an earlier run has found counts.
    """
    if context.instance is not None:
        find_cloud_config(context)
        return context.asked
    if context.state is None:
        return ()
    return context.state.load_names(ASKED)


def _list_asked(
    context: Context,
    instance: Instance,
    documents: Tuple[str, ...],
    given: Optional[GivenConfig],
) -> List[str]:
    if not documents:
        return []
    from lightinit.cloud_config.given import asks_for, find_script_modules, has_written_scripts

    values = given.values if given is not None else {}
    of_scripts = find_script_modules(context.system, instance, documents)
    if has_written_scripts(values):
        of_scripts = (*of_scripts, "scripts")
    found = []
    for name in context.settings.all_modules:
        try:
            declared = find_declaration(name)
        except LightinitError:
            continue  # reported when the module is due
        if declared.asked and (
            name in of_scripts or asks_for(values, declared.cloud_config, declared.asked_field)
        ):
            found.append(name)
    return found


def _keep_asked(context: Context, names: List[str]) -> List[str]:
    """Keep the names for boots that do not load the instance's data. Returns those that count.

    On an instance that is ready, only what was asked for before counts: an upgrade that takes more
    keys must not change a VM long after its first boot.
    """
    if context.marks is None or context.state is None:
        return names
    if context.marks.find("stage.final", Frequency.INSTANCE) is not None:
        earlier = context.state.load_names(ASKED)
        return [name for name in names if name in earlier]
    try:
        context.state.save_names(ASKED, names)
    except LightinitError as error:
        LOG.warning("later boots do not know what the user data ask for: %s", error)
    return names
