"""Joins what IMDS and the provisioning media say about a VM into one Instance.

If they differ, IMDS wins. The keys of the media count only if no key of IMDS is usable. Only the
media have the password and the custom data, and media that name another admin than IMDS give
neither: they are another VM's, or somebody's trick. Pure: documents in, Instance out.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple

from lightinit.formats.azure.imds import Document
from lightinit.formats.azure.imds_instance import (
    instance_from_document,
    is_extended,
    pool_type,
    ssh_keys,
)
from lightinit.formats.azure.ovf import OvfEnvironment
from lightinit.formats.ssh.given_keys import read_given
from lightinit.model import Certificate, Instance, SshKey, User


def join(
    instance_id: str,
    document: Optional[Document],
    environment: Optional[OvfEnvironment],
    warnings: List[str],
    is_owners: bool = False,
) -> Instance:
    """The instance from both sources.

    Args:
        instance_id: the id that marks belong to.
        document: of IMDS; None if IMDS did not answer.
        environment: of the provisioning media, or of the owner's document; None if there is none.
        warnings: where to note what is odd, one sentence each.
        is_owners: whether the environment is that of an owner who has just got this VM: IMDS may
            still describe the pool.

    Raises:
        MalformedError: as :func:`lightinit.formats.azure.imds_instance.instance_from_document`.
    """
    if document is None:
        instance = Instance(instance_id, platform="azure")
    else:
        instance = instance_from_document(document, instance_id, warnings)
    if environment is None:
        return instance
    warnings.extend(environment.warnings)
    shown = _shown(environment)
    if not is_owners:
        environment = _trusted(environment, instance.admin, document, warnings)
    admin = instance.admin
    if admin is None and environment.user_name:
        admin = User(environment.user_name, ssh_keys(document) if document is not None else ())
    if (
        is_owners
        and environment.user_name
        and admin is not None
        and admin.name != environment.user_name
    ):
        warnings.append(
            "imds still names the admin %s; using the admin %s from the owner's document"
            % (ascii(admin.name[:64]), ascii(environment.user_name[:64]))
        )
        admin = User(environment.user_name)
    if admin is not None:
        admin = _join_admin(admin, environment)
    raw: Dict[str, Any] = dict(instance.raw, ovf=shown)
    return instance._replace(
        hostnames=_join_names(instance, document, environment),
        admin=admin,
        custom_data=environment.custom_data,
        raw=raw,
    )


def suffices(environment: Optional[OvfEnvironment]) -> bool:
    """Whether the media alone are enough for an account that somebody can log in to."""
    return (
        environment is not None
        and bool(environment.user_name)
        and bool(environment.password or environment.ssh_keys)
    )


def is_pools(environment: OvfEnvironment) -> bool:
    """Whether the media describe a VM that waits for its owner: their password and keys must not
    open the owner's account.
    """
    return environment.preprovisioned or bool(environment.preprovisioned_type)


def wanted_fingerprints(instance: Instance) -> Tuple[str, ...]:
    """The fingerprints of SSH keys that only name a certificate: the key is in the certificate."""
    keys = instance.admin.ssh_keys if instance.admin is not None else ()
    return tuple(key.fingerprint for key in keys if key.fingerprint and not key.text)


def with_keys(admin: Optional[User], certificates: Tuple[Certificate, ...]) -> Optional[User]:
    """The admin, with the certificate itself in each SSH key that only names one.

    Args:
        admin: the admin from the sources.
        certificates: those that could be fetched. A key whose certificate is missing stays without
            text.
    """
    if admin is None:
        return None
    known = {each.thumbprint: each.certificate for each in certificates}
    return admin._replace(
        ssh_keys=tuple(
            (
                key._replace(text=known.get(key.fingerprint, ""))
                if not key.text and key.fingerprint
                else key
            )
            for key in admin.ssh_keys
        ),
    )


def _join_names(
    instance: Instance, document: Optional[Document], environment: OvfEnvironment
) -> Tuple[str, ...]:
    # The media have the computer name. Without an osProfile, IMDS has only the name of the
    # resource.
    profile = ((document or {}).get("compute") or {}).get("osProfile") or {}
    has_computer_name = bool(str(profile.get("computerName") or "").strip())
    names = (
        instance.hostnames[:1] * has_computer_name
        + (environment.hostname,)
        + instance.hostnames[has_computer_name:]
    )
    return tuple(dict.fromkeys(name for name in names if name))


def _trusted(
    environment: OvfEnvironment,
    admin: Optional[User],
    document: Optional[Document],
    warnings: List[str],
) -> OvfEnvironment:
    """The part of the media that may be used for the admin of IMDS."""
    if admin is None or document is None or not environment.user_name:
        return environment
    if environment.user_name != admin.name:
        warnings.append(
            "imds names the admin %s, the provisioning media%s name %s: using the admin of imds,"
            " and nothing of the media: no password, keys, custom data or host name"
            % (
                ascii(admin.name[:64]),
                " of the pool" * is_pools(environment),
                ascii(environment.user_name[:64]),
            )
        )
    elif is_pools(environment) and is_extended(document) and not pool_type(document):
        warnings.append(
            "the provisioning media are of a pool, and imds says that this VM is in none: nothing"
            " of the media is used"
        )
    else:
        return environment
    return OvfEnvironment(
        provision_guest_agent=environment.provision_guest_agent,
        provision_guest_proxy_agent=environment.provision_guest_proxy_agent,
    )


def _join_admin(admin: User, environment: OvfEnvironment) -> User:
    keys = admin.ssh_keys
    if not any(_is_usable(key) for key in keys):
        keys += environment.ssh_keys
    login = environment.password_login if admin.password_login is None else admin.password_login
    return admin._replace(ssh_keys=keys, password_login=login, password=environment.password)


def _is_usable(key: SshKey) -> bool:
    found = read_given(key.text)
    return bool(found.keys or found.certificates)


def _shown(environment: OvfEnvironment) -> Dict[str, Any]:
    """The part of the media that `query` shows, without secrets."""
    return {
        "hostname": environment.hostname,
        "user_name": environment.user_name,
        "password_login": environment.password_login,
        "ssh_keys": [
            {"text": key.text, "path": key.path, "fingerprint": key.fingerprint}
            for key in environment.ssh_keys
        ],
        "has_password": bool(environment.password),
        "has_custom_data": bool(environment.custom_data),
        "preprovisioned": environment.preprovisioned,
        "preprovisioned_type": environment.preprovisioned_type,
        "provision_guest_agent": environment.provision_guest_agent,
        "provision_guest_proxy_agent": environment.provision_guest_proxy_agent,
    }
