"""Gives dropbear the SSH host keys of a cloud-config: dropbearconvert converts them.

What cannot be converted is told, and dropbear has its own key of that type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, List, Sequence

from lightinit.errors import MalformedError, ProvisioningError
from lightinit.formats.ssh.dropbear_keys import TYPES, find_public
from lightinit.formats.ssh.host_keys import key_blob
from lightinit.host.ssh import dropbear_keys, early
from lightinit.host.system import System
from lightinit.host_keys.dropbear import DropbearPlan
from lightinit.host_keys.taken import OWN

if TYPE_CHECKING:
    from lightinit.formats.cloud_config.readers.host_keys import GivenHostKey, GivenHostKeys


def take(system: System, plan: DropbearPlan, given: GivenHostKeys) -> DropbearPlan:
    """Put the given keys in place, as far as dropbear can have them.

    Args:
        system: the live machine. It has dropbear.
        plan: what is to be done without them.
        given: what the cloud-config says.

    Returns:
        What is still to be done.
    """
    private = {key.type: key for key in given.keys if key.private}
    warnings: List[str] = []
    if any(key.certificate for key in given.keys):
        warnings.append("dropbear shows no certificates of host keys")
    converter = dropbear_keys.find_converter(system)
    if private and not converter:
        private = {}
        warnings.append(
            "dropbear has its own host keys: without dropbearconvert those of the cloud-config"
            " cannot be given to it; install it in the image"
        )
    done = _convert_all(system, plan, converter, private, warnings)
    kept = [place for place in plan.kept if place not in done]
    left = [(place, kind) for place, kind in plan.wished if place not in done]
    wished = [each for each in left if given.types is None or each[1] in given.types]
    if not wished and not done and not kept and left:
        warnings.append("dropbear has no place for a key of the types asked for; it has its own")
        wished = left
    for place, kind in plan.wished:
        if (place, kind) not in wished:
            early.give_up(system, place)
    return plan._replace(kept=kept, wished=wished, given=done, warnings=warnings)


def _convert_all(
    system: System,
    plan: DropbearPlan,
    converter: Sequence[str],
    private: Dict[str, GivenHostKey],
    warnings: List[str],
) -> List[str]:
    """The places that have given keys now."""
    done: List[str] = []
    for place, kind in plan.typed:
        key = private.get(kind)
        if key is None or kind not in TYPES:
            continue

        def find_fault(scratch: str, key: GivenHostKey = key) -> str:
            return _find_fault(system, plan.keygen, scratch, key.public)

        try:
            dropbear_keys.prepare_folder(system, place.rpartition("/")[0])
            why = dropbear_keys.convert_key(
                system, converter, key.private.encode("utf-8", "replace"), place, find_fault
            )
        except ProvisioningError as error:
            why = str(error)
        if why:
            warnings.append("ssh_keys.%s_private: not for dropbear: %s; %s" % (kind, why, OWN))
        else:
            done.append(place)
    return done


def _find_fault(system: System, keygen: Sequence[str], scratch: str, public: str) -> str:
    if not public or not keygen:
        return ""
    found = find_public(dropbear_keys.read_public(system, keygen, scratch))
    try:
        if key_blob(found.encode("ascii", "replace")) == key_blob(
            public.encode("utf-8", "replace")
        ):
            return ""
    except MalformedError:
        return "dropbearkey cannot read it"
    return "it does not fit the public key beside it"
