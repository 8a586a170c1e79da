"""The fetch stage: ask the datasource, keep what it said; where the platform has no owner for the
VM yet, wait for one.
"""

from __future__ import annotations

from lightinit.errors import ProvisioningError
from lightinit.formats.secrets import redact
from lightinit.model import Outcome
from lightinit.pipeline import Context


def run(context: Context) -> Outcome:
    """Fetch the instance's data and write them to instance.json.

    Raises:
        ProvisioningError: the platform did not say enough to go on, or the data cannot be kept.
    """
    if context.datasource is None or context.state is None:
        raise ProvisioningError(
            "fetch needs a network", hint="run the local stage first: lightinit stage local"
        )
    # Only a run that ends in a report may begin one: by hand, a VM that is ready must not be told
    # of as if it were not.
    instance, warnings = context.datasource.fetch(context.instance_id, announce=context.whole)
    kind = getattr(context.datasource, "pool_type", "")
    if kind and not context.whole:
        raise ProvisioningError(
            "vm has no owner yet", pool=kind, hint="it is `lightinit boot` that waits for one"
        )
    if kind:
        from lightinit.stages import pool  # few VMs need it

        pool.wait_for_owner(context)
        # Not announced again: the pool has just accepted Ready.
        instance, warnings = context.datasource.fetch(context.instance_id, announce=False)
    context.state.save_instance(instance, redact)
    for name, content in getattr(context.datasource, "documents", {}).items():
        context.state.save_document(name, content)
    context.instance = instance
    admin = instance.admin.name if instance.admin else "no admin user"
    name = instance.hostnames[0] if instance.hostnames else "no host name"
    keys = len(instance.admin.ssh_keys) if instance.admin else 0
    return Outcome(
        "%s, %s, %d SSH key%s, %s"
        % (name, admin, keys, "" if keys == 1 else "s", instance.vm_size or "size unknown"),
        tuple(warnings),
    )
