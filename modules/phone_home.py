"""Posts who this VM is to the URL of a cloud-config's ``phone_home``. The URL may have a secret, so
no message has more of it than the host.
"""

from __future__ import annotations

import logging
import socket
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple
from urllib.parse import quote, urlencode

from lightinit.errors import LightinitError, MalformedError, TransientError
from lightinit.formats.blanks import words_of
from lightinit.formats.cloud_config.readers.ending import POSTED, read_ending
from lightinit.formats.user_parts.placeholders import fill_in
from lightinit.host.clock import Clock
from lightinit.host.network.download import Downloader
from lightinit.host.system import System
from lightinit.model import Instance, NamedTuple, Outcome
from lightinit.retry import RetryPolicy, retry, system_random
from lightinit.settings import ModuleSettings

LOG = logging.getLogger("lightinit.phone_home")
Post = Callable[[str, bytes, float], None]
# cloud-init waits 3 s between its attempts, and for ever for an answer.
POLICY = RetryPolicy(first_s=3.0, factor=1.5, cap_s=30.0, deadline_s=300.0)
ATTEMPT_S = 30.0
UNKNOWN = "N/A"  # what cloud-init sends for what it does not know
KEYS = {
    "pub_key_dsa": "/etc/ssh/ssh_host_dsa_key.pub",
    "pub_key_rsa": "/etc/ssh/ssh_host_rsa_key.pub",
    "pub_key_ecdsa": "/etc/ssh/ssh_host_ecdsa_key.pub",
    "pub_key_ed25519": "/etc/ssh/ssh_host_ed25519_key.pub",
}


class Attempts(NamedTuple):
    """How it went.

    Attributes:
        made: the number of attempts.
        error: why the last one failed; None if it was taken.
    """

    made: int
    error: Optional[LightinitError] = None


def from_cloud_config(values: Mapping[str, Any]) -> Dict[str, Any]:
    """Whom a cloud-config wants called: ``call``, a GivenCall or None; ``fqdn``, or ""."""
    from lightinit.formats.cloud_config.readers.names import read_names

    return {"call": read_ending(values)[0].phone_home, "fqdn": read_names(values)[0].fqdn}


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Post. A failure is a warning: it is not tried again at a later boot.

    Args:
        instance: its id and names.
        system: the machine.
        settings: ``call`` and ``fqdn``, or nothing.

    Returns:
        Whether it was taken.
    """
    call = settings.get("call")
    if call is None:
        return Outcome("nobody to call", skipped=True)
    if not system.live:
        system.skip("phone_home")
        return Outcome("left out", skipped=True)
    facts = _facts(instance, system, settings.get("fqdn", ""))
    form = {name: facts.get(name) or UNKNOWN for name in call.post}
    lacking = [name for name, value in form.items() if value == UNKNOWN]
    warnings: List[str] = []
    if lacking and call.post != POSTED:
        warnings.append("not known, so %s is sent: %s" % (UNKNOWN, ", ".join(lacking)))
    url = fill_in(call.url, {"INSTANCE_ID": quote(instance.id, "")})[0]
    data = urlencode(form).encode("ascii")
    system.need_network("phone_home")
    try:
        ended = post_often(Downloader().post, url, data, call.tries, system.clock)
    except LightinitError as error:
        ended = Attempts(0, error)
    if ended.error is None:
        return Outcome("taken at attempt %d" % ended.made, tuple(warnings))
    said = "nobody was told: %s" % ended.error
    if ended.made:
        said += "; tried %d times" % ended.made
    return Outcome("not taken", (*warnings, said))


def post_often(
    post: Post,
    url: str,
    form: bytes,
    tries: int,
    clock: Clock,
    random: Callable[[], float] = system_random,
) -> Attempts:
    """Post until it is taken, with pauses, at most ``tries`` times and for at most 5 minutes.

    Args:
        post: as :meth:`lightinit.host.network.download.Downloader.post`.
        url, form: what it gets.
        tries: attempts at most.
        clock: gives the time and sleeps.
        random: for the pauses.

    Raises:
        ProvisioningError: it was refused, or the time is up.
    """
    made = 0

    def attempt(left_s: float) -> Attempts:
        nonlocal made
        made += 1
        try:
            post(url, form, min(left_s, ATTEMPT_S))
        except (TransientError, MalformedError) as error:
            if made < tries:
                raise
            return Attempts(made, error)
        return Attempts(made)

    def on_retry(error: LightinitError, wait_s: float, attempts: int) -> None:
        LOG.info("attempt %d: %s; again in %.1f s", attempts, error, wait_s)

    return retry(attempt, POLICY, clock, random, on_retry)


def _facts(instance: Instance, system: System, given: str) -> Dict[str, str]:
    hostname, fqdn = _names(instance, system)
    if given.startswith(hostname + "."):
        fqdn = given  # of the cloud-config, wherever the host keeps it
    facts = {"instance_id": instance.id, "hostname": hostname, "fqdn": fqdn}
    facts.update({name: system.read_text(path) for name, path in KEYS.items()})
    return facts


def _names(instance: Instance, system: System) -> Tuple[str, str]:
    """The name that the host has now, and the one with a domain that /etc/hosts gives it."""
    name = next(iter(instance.hostnames), "")
    if system.root == "/":
        name = socket.gethostname()
    short = name.partition(".")[0]
    if short == name:
        name = _with_domain(system.read_text("/etc/hosts"), short) or name
    return short, name


def _with_domain(hosts: str, short: str) -> str:
    for line in hosts.split("\n"):
        names = words_of(line.partition("#")[0])[1:]
        for each in names:
            if short in names and short and each.startswith(short + "."):
                return each
    return ""
