"""Makes the host trust the certificate authorities that a cloud-config names, by the host's own
tool.

A certificate that is broken is left out, and told. Those that the host brings are deselected only
where a file says which these are.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Tuple

from lightinit.errors import MalformedError
from lightinit.formats.services import trust
from lightinit.host.accounts.tools import has_tool
from lightinit.host.files.selinux import restore_labels
from lightinit.host.files.text import read_text_file, write_text_file
from lightinit.host.system import System
from lightinit.model import Instance, NamedTuple, Outcome
from lightinit.settings import ModuleSettings

SELECTION = "/etc/ca-certificates.conf"
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
BUNDLE_LIMIT_BYTES = 4 * 1024 * 1024
LIMIT_S = 120.0
# So Debian's package does not select new certificates at its next update.
DEBCONF = b"ca-certificates ca-certificates/trust_new_crts select no\n"


class Store(NamedTuple):
    """Where a host keeps the authorities that its administrator adds.

    Attributes:
        folder: the folder.
        commands: what makes bundles of them; the first one that is there counts.
        is_selected: whether /etc/ca-certificates.conf says which of the others are trusted.
    """

    folder: str
    commands: Tuple[Tuple[str, ...], ...]
    is_selected: bool = False


USUAL = Store("/usr/local/share/ca-certificates", (("update-ca-certificates",),), True)
STORES = (
    Store("/etc/pki/ca-trust/source/anchors", (("update-ca-trust", "extract"),)),
    Store(
        "/etc/ca-certificates/trust-source/anchors",  # Arch
        (("update-ca-trust",), ("trust", "extract-compat")),
    ),
    Store("/etc/pki/trust/anchors", (("update-ca-certificates",),)),  # SUSE
    USUAL,
)


def apply(instance: Instance, system: System, settings: ModuleSettings) -> Outcome:
    """Trust the authorities.

    Args:
        instance: not used.
        system: the machine.
        settings: ``trust``, as the reader of cloud-configs gives it.

    Returns:
        How many there are; a warning for each that is broken, and for what is not there.

    Raises:
        ProvisioningError: a file could not be written, or the host's tool failed.
    """
    given = settings.get("trust")
    if given is None:
        return Outcome("trusted authorities left as they are", skipped=True)
    warnings: List[str] = []
    sound = _read_all(system, given.trusted, warnings)
    store = _find_store(system)
    removed = bool(given.remove_defaults)
    if removed and given.trusted and not sound:
        warnings.append("remove_defaults is not done: no certificate is left to trust instead")
        removed = False
    for authority in sound:
        path = "%s/lightinit-%s.crt" % (store.folder, authority.thumbprint[:16].lower())
        if read_text_file(system, path) != authority.pem:
            write_text_file(system, path, authority.pem)
            restore_labels(system, [path])
    if removed:
        _deselect(system, store, warnings)
    if sound or removed:
        _update(system, store, sound, warnings)
    message = "%d authorities added in %s" % (len(sound), store.folder)
    return Outcome(message, tuple(warnings))


def from_cloud_config(values: Mapping[str, Any]) -> Dict[str, Any]:
    """What a cloud-config says of this module's settings."""
    from lightinit.formats.cloud_config.readers.services import read_services

    given = read_services(values)[0].trust
    if given is None:
        return {}
    return {"trust": given}


def _read_all(
    system: System, trusted: Tuple[str, ...], warnings: List[str]
) -> List[trust.Authority]:
    sound: Dict[str, trust.Authority] = {}
    for number, pem in enumerate(trusted, 1):
        try:
            found = trust.read_authority(pem, system.clock.time())
        except MalformedError as error:
            warnings.append("certificate %d of ca_certs is left out: %s" % (number, error))
            continue
        warnings += ["certificate %d of ca_certs: %s" % (number, each) for each in found.notes]
        sound[found.thumbprint] = found
    return list(sound.values())


def _find_store(system: System) -> Store:
    return next((store for store in STORES if system.is_dir(store.folder)), USUAL)


def _deselect(system: System, store: Store, warnings: List[str]) -> None:
    before: Optional[str] = None
    if store.is_selected:
        before = read_text_file(system, SELECTION)
    if before is None:
        warnings.append(
            "remove_defaults is not done: there is no %s; remove the package's certificates in the"
            " image" % SELECTION
        )
        return
    after = trust.deselect_all(before)
    if after != before:
        write_text_file(system, SELECTION, after)
    debconf = system.tool("debconf-set-selections")
    if debconf is not None:
        ended = system.run([debconf], DEBCONF)
        if not ended.ok:
            warnings.append("debconf-set-selections failed: %s" % ended.last_words)


def _update(
    system: System, store: Store, sound: List[trust.Authority], warnings: List[str]
) -> None:
    """Have the host's tool make its bundles anew."""
    for name, *options in store.commands:
        program = system.tool(name)
        if program is not None:
            system.run_checked([program, *options], timeout_s=LIMIT_S)
            return
        if has_tool(system, name):
            system.skip(name)
            return
    if not _extend_bundle(system, sound):
        warnings.append("nothing here reads %s: add ca-certificates to `packages`" % store.folder)
        return
    warnings.append(
        "%s was extended by hand, and an update of its package replaces it: add ca-certificates to"
        " `packages`" % BUNDLE
    )


def _extend_bundle(system: System, sound: List[trust.Authority]) -> bool:
    """Add them to the bundle itself, on a host that has no tool for it."""
    text = read_text_file(system, BUNDLE, BUNDLE_LIMIT_BYTES)
    if text is None:
        return False
    added = "".join(each.pem for each in sound if each.pem not in text)
    if added:
        if text and not text.endswith("\n"):
            text += "\n"
        write_text_file(system, BUNDLE, text + added)
    return True
