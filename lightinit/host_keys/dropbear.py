"""dropbear's host keys: dropbearkey makes each anew where dropbear looks for it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Dict, List, Optional, Sequence, Tuple

from lightinit.errors import MalformedError, ProvisioningError
from lightinit.formats.ssh import dropbear_keys as dropbear_formats
from lightinit.formats.ssh.dropbear_keys import TYPES, find_public
from lightinit.formats.ssh.dropbear_options import read_started
from lightinit.formats.ssh.host_keys import describe_new, fingerprint
from lightinit.host.ssh import dropbear_keys
from lightinit.host.ssh.dropbear import read_option_texts
from lightinit.host.ssh.servers import find_server
from lightinit.host.system import System
from lightinit.model import NamedTuple, Outcome

if TYPE_CHECKING:
    from lightinit.formats.cloud_config.readers.host_keys import GivenHostKeys

LOG = logging.getLogger("lightinit.ssh_host_keys")
DROPBEAR = "dropbear"


class DropbearPlan(NamedTuple):
    """What is to be done about dropbear's host keys.

    Attributes:
        keygen: the command that makes keys; empty if there is none.
        places: the files.
        there: those that have a key.
        kept: those whose keys stay.
        typed: (place, type) of all files.
        wished: (place, type) of the keys to make.
        is_on_demand: whether dropbear makes missing keys by itself.
        given: the files with a cloud-config's keys.
        warnings: what the operator should know.
    """

    keygen: List[str]
    places: List[str]
    there: List[str]
    kept: List[str]
    typed: List[Tuple[str, str]]
    wished: List[Tuple[str, str]]
    is_on_demand: bool
    given: Sequence[str] = ()
    warnings: Sequence[str] = ()


def _plan(system: System, keep: bool) -> Optional[DropbearPlan]:
    """None if there is nothing to do."""
    texts = read_option_texts(system)
    plain = texts.units + texts.scripts + texts.files
    options = read_started(texts.units, texts.scripts, texts.files, texts.uci)
    places = dropbear_formats.list_places(options, plain)
    there = dropbear_keys.list_there(system, places)
    is_started = texts.units or texts.scripts or find_server(system).name == DROPBEAR
    if not there and not is_started:
        return None  # the program alone is there, for an initramfs
    kept = [place for place in there if keep]
    typed = [(place, dropbear_formats.find_type(place, _head(system, place))) for place in places]
    return DropbearPlan(
        dropbear_keys.find_keygen(system),
        places,
        there,
        kept,
        typed,
        [(place, kind) for place, kind in typed if place not in kept],
        dropbear_formats.is_on_demand(options, plain),
    )


def begin(system: System, keep: bool) -> None:
    """Begin to make the keys that :func:`renew` puts in place.

    Args:
        system: the live machine. It has dropbear.
        keep: whether the image's keys stay.

    Raises:
        ProvisioningError: a program cannot be started, or the scratch folder cannot be written.
    """
    plan = _plan(system, keep)
    if plan is not None and plan.keygen:
        wished = [(place, kind) for place, kind in plan.wished if kind in TYPES]
        dropbear_keys.begin_keys(system, plan.keygen, wished)


def renew(system: System, keep: bool, given: Optional[GivenHostKeys] = None) -> Outcome:
    """Replace dropbear's host keys.

    Args:
        system: the live machine. It has dropbear.
        keep: whether the image's keys stay.
        given: what a cloud-config says of host keys; None without one.

    Returns:
        How many keys were made and kept, and warnings. The message is "" if there is nothing to do.

    Raises:
        ProvisioningError: dropbear has no key, and none can be made.
    """
    plan = _plan(system, keep)
    if plan is None:
        return Outcome("")
    if given is not None:
        from lightinit.host_keys.given_to_dropbear import take

        plan = take(system, plan, given)
    keygen, there, kept = plan.keygen, plan.there, plan.kept
    if not keygen and not plan.given:
        if there and not keep and plan.is_on_demand:
            dropbear_keys.remove_keys(system, there)
            text = "%d host keys of dropbear removed: it makes new ones (-R)" % len(there)
            return Outcome(text, tuple(plan.warnings))
        return Outcome("", (*plan.warnings, *_say_shared(there)))
    made, failed, warnings = _make(system, keygen, plan.wished)
    warnings = [*plan.warnings, *warnings]
    if not made and not kept and not plan.given:
        if not there and not plan.is_on_demand:
            raise ProvisioningError(
                "ssh host keys could not be made",
                said="; ".join(failed),
                hint="run by hand: dropbearkey -t ed25519 -f %s" % plan.places[0],
            )
        # People can log in all the same: by the image's keys, or by those of -R.
        why = "no host keys of dropbear could be made: %s" % "; ".join(failed)
        return Outcome("", (*plan.warnings, why, *_say_shared(there)))
    # dropbear would go on with a key of the image that no new one has replaced.
    stay = [*kept, *plan.given, *made]
    dropbear_keys.remove_keys(system, [place for place in there if place not in stay])
    for place in stay:
        _show(system, keygen, place, made.get(place, ""), given)
    if (made or plan.given) and dropbear_keys.is_running(system):
        warnings.append("dropbear uses the old host keys until it is restarted")
    return Outcome(_message(plan, len(made)), tuple(warnings))


def _message(plan: DropbearPlan, made: int) -> str:
    return describe_new(
        "%d host keys of dropbear made",
        "%d host keys of the cloud-config put in place for dropbear",
        made,
        len(plan.given),
        len(plan.kept),
    )


def _make(
    system: System, keygen: Sequence[str], wished: Sequence[Tuple[str, str]]
) -> Tuple[Dict[str, str], List[str], List[str]]:
    """The places of the new keys, with what was printed when each was made; why others could not be
    made; warnings.
    """
    made: Dict[str, str] = {}
    failed: List[str] = []
    lost = set()
    for place, kind in wished:
        if kind not in TYPES or not keygen:
            continue
        folder = place.rpartition("/")[0]
        try:
            stays = dropbear_keys.prepare_folder(system, folder)
            result = dropbear_keys.make_key(system, keygen, kind, place)
            why, printed = result.failure, result.printed
        except ProvisioningError as error:  # the file system may be read-only
            stays, why = True, str(error)
        if not stays:
            lost.add(folder)
        if why:
            LOG.info("dropbearkey made no %s key: %s", kind, why)
            failed.append("%s: %s" % (kind, why))
        else:
            made[place] = printed
    text = "the host keys of dropbear in %s are lost at a restart: each boot has other ones"
    return made, failed, [text % folder for folder in sorted(lost)]


def _head(system: System, place: str) -> bytes:
    try:
        return system.read(place)
    except (OSError, MalformedError):
        return b""


def _show(
    system: System,
    keygen: Sequence[str],
    place: str,
    printed: str,
    given: Optional[GivenHostKeys],
) -> None:
    """Log a key. A program that makes one prints its public part; otherwise it is asked."""
    public = find_public(printed) or find_public(dropbear_keys.read_public(system, keygen, place))
    try:
        shown = fingerprint(public.encode("ascii", "replace"))
    except MalformedError as error:
        LOG.info("SSH host key %s: its public part cannot be read: %s", place, error)
        return
    if given is None or given.shows(shown.split()[0]):
        LOG.info("SSH host key %s", shown)


def _say_shared(there: Sequence[str]) -> List[str]:
    if not there:
        return []
    return [
        "the host keys of dropbear are those of the image (%s), so every VM of it may have the"
        " same: have dropbearkey make new ones; or remove them, if dropbear makes its own"
        " (dropbear -R)" % ", ".join(there)
    ]
