"""The fetch stage: ask the datasource, keep what it said."""
from __future__ import annotations

from lightinit.errors import ProvisioningError
from lightinit.formats.imds import redact
from lightinit.model import Outcome
from lightinit.pipeline import Context


def run(context: Context) -> Outcome:
    """Fetch the instance's data and write them to instance.json.

    Raises:
        ProvisioningError: the platform did not say enough to go on, or the data cannot be kept.
    """
    if context.datasource is None or context.state is None:
        raise ProvisioningError("fetch needs a network", hint="run the local stage first: lightinit stage local")
    instance, warnings = context.datasource.fetch(context.instance_id)
    context.state.save_instance(instance, redact)
    context.instance = instance
    admin = instance.admin.name if instance.admin else "no admin user"
    name = instance.hostnames[0] if instance.hostnames else "no host name"
    keys = len(instance.admin.ssh_keys) if instance.admin else 0
    return Outcome("%s, %s, %d SSH key%s, %s" % (name, admin, keys, "" if keys == 1 else "s",
                                                instance.vm_size or "size unknown"), tuple(warnings))
