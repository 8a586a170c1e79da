"""The fetch stage: fetch the data from the datasource and save them. If the VM has no owner yet,
wait for one.
"""

from __future__ import annotations

from lightinit.errors import ProvisioningError
from lightinit.formats.secrets import redact
from lightinit.model import Instance, Outcome, User
from lightinit.pipeline import Context
from lightinit.stages.local import preload_work
from lightinit.stages.pending import keep_anchors


def run(context: Context) -> Outcome:
    """Fetch the instance's data and write them to instance.json.

    Raises:
        ProvisioningError: the platform did not give enough data, or they cannot be saved.
    """
    source = context.datasource
    if source is None or context.network is None or context.state is None:
        raise ProvisioningError(
            "fetch needs a network", hint="run the local stage first: lightinit stage local"
        )
    source.while_waiting = lambda: preload_work(context)
    # Only a run that also sends the final report may report progress: if somebody runs this stage
    # by hand, a VM that is ready must not be reported as at work.
    instance, warnings = source.fetch(context.instance_id, announce=context.whole)
    if source.pool_type and not context.whole:
        raise ProvisioningError(
            "vm has no owner yet",
            pool=source.pool_type,
            hint="to wait for an owner, run: lightinit boot",
        )
    if source.pool_type:
        from lightinit.stages import pool  # few VMs need it

        pool.wait_for_owner(context, source)
        # Not announced again: the pool has just accepted Ready.
        instance, warnings = source.fetch(context.instance_id, announce=False)
    instance = _name_default(instance, context.settings["lightinit"]["default_user"])
    if context.settings["lightinit"]["user_data"] == "none":
        instance = instance._replace(  # no file gets them
            custom_data="", user_data="", vendor_data=""
        )
    context.state.save_instance(instance, redact)
    keep_anchors(context.system, context.state, source)
    for name, content in source.documents.items():
        context.state.save_document(name, content)
    context.instance = instance
    return Outcome(_summary(instance), warnings)


def _name_default(instance: Instance, name: str) -> Instance:
    """The instance with the settings' default user as its admin, if the platform names none."""
    if instance.admin is not None or not name:
        return instance
    return instance._replace(admin=User(name, instance.public_keys, is_default=True))


def _summary(instance: Instance) -> str:
    """The instance in one line, for the console."""
    hostnames = instance.hostnames or ("no host name",)
    size = instance.vm_size or "size unknown"
    if instance.admin is None:
        return "%s, no admin user, 0 SSH keys, %s" % (hostnames[0], size)
    keys = _count(len(instance.admin.ssh_keys), "SSH key")
    return "%s, %s, %s, %s" % (hostnames[0], instance.admin.name, keys, size)


def _count(number: int, noun: str) -> str:
    if number == 1:
        return "1 " + noun
    return "%d %ss" % (number, noun)
