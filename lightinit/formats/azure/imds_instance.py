"""Makes an Instance from the document of IMDS. It knows the fields, and no bytes or HTTP.

Null and absent mean the same everywhere. If a field that provisioning needs has the wrong type,
that is an error with the field's path. In any other field a wrong type is a warning.
"""

from __future__ import annotations

import json
from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple

from lightinit.errors import MalformedError
from lightinit.formats.azure.imds import MAX_TEXT, TYPE_NAMES, Document, add_warning
from lightinit.model import Instance, SshKey, User

OS_PROFILE = "osProfile"
# The fields of the machine itself, which do not depend on its owner.
OF_THE_MACHINE = ("vmId", "location", "vmSize", "zone")


def instance_from_document(
    document: Document, instance_id: str, warnings: Optional[List[str]] = None
) -> Instance:
    """Make the Instance that the document describes.

    Args:
        document: the result of :func:`lightinit.formats.azure.imds.parse`.
        instance_id: the instance id, to which the marks belong. The document's ``vmId`` may have
            another form.
        warnings: a list that gets one sentence for each field of the wrong type that provisioning
            does not depend on. None: no warnings.

    Returns:
        The Instance, with the document in its ``raw``.

    Raises:
        MalformedError: a field that provisioning depends on has the wrong type. ``path`` names the
            field; ``found`` is its type.
    """
    if warnings is None:
        warnings = []
    compute = _Fields(document, "", warnings).object("compute")
    profile = compute.object("osProfile")
    names = (profile.text("computerName"), compute.text("name"))
    return Instance(
        id=instance_id,
        platform="azure",
        hostnames=tuple(dict.fromkeys(name for name in names if name)),
        admin=_admin(profile, _keys(compute)),
        vm_id=compute.text("vmId"),
        location=compute.loose_text("location"),
        vm_size=compute.loose_text("vmSize"),
        resource_group=compute.loose_text("resourceGroupName"),
        subscription_id=compute.loose_text("subscriptionId"),
        scale_set=compute.loose_text("vmScaleSetName"),
        zone=compute.loose_text("zone"),
        tags=_tags(compute),
        user_data=compute.loose_text("userData"),
        raw={"imds": document},
    )


def ssh_keys(document: Document) -> Tuple[SshKey, ...]:
    """Return ``compute.publicKeys``. A document may have keys and name no account.

    Raises:
        MalformedError: as in :func:`instance_from_document`.
    """
    return _keys(_Fields(document, "", []).object("compute"))


def missing_parts(document: Document, os_profile: bool = True) -> Tuple[str, ...]:
    """Return what an incomplete document lacks. Early in a boot, IMDS may give such a document.

    Args:
        document: the result of :func:`lightinit.formats.azure.imds.parse`.
        os_profile: whether the api-version of the request has an osProfile.

    Returns:
        Names for the log. The result is empty if the document is complete.

    Raises:
        MalformedError: as in :func:`instance_from_document`.
    """
    instance = instance_from_document(document, "")
    compute = document.get("compute") or {}
    missing = []
    if not instance.hostnames:
        missing.append("host name")
    if os_profile and not compute.get("osProfile"):
        missing.append(OS_PROFILE)
    elif instance.admin is None or (os_profile and not compute["osProfile"].get("adminUsername")):
        missing.append("adminUsername")
    if (
        instance.admin is not None
        and instance.admin.password_login is False
        and not instance.admin.ssh_keys
    ):
        missing.append("ssh keys while password login is off")
    return tuple(missing)


def is_extended(document: Document) -> bool:
    """Return whether the document has its extended part. Then the rest is complete, too."""
    return isinstance(document.get("extended"), dict)


def is_specialized(document: Document) -> bool:
    """Return whether the VM is from a specialized disk or image: the document is complete and has
    neither an osProfile nor keys, so the platform names no account.

    Source: Microsoft's page on generalized and specialized images: VMs from specialized ones have
        no osProfile.
    """
    compute = document.get("compute")
    if not is_extended(document) or not isinstance(compute, dict):
        return False
    return not compute.get(OS_PROFILE) and not compute.get("publicKeys")


def pool_type(document: Document) -> str:
    """Return ``extended.compute.ppsType``, the kind of pool in which the VM waits for an owner. The
    result is "" if it is in no pool (``None``, or no such field).
    """
    found = _extended(document, "ppsType")
    if not isinstance(found, str) or found.strip().lower() == "none":
        return ""
    return found.strip()[:MAX_TEXT]


def has_custom_data(document: Document) -> bool:
    """Return whether the platform announces custom data (``extended.compute.hasCustomData``). They
    are on the provisioning media.
    """
    return str(_extended(document, "hasCustomData")).strip().lower() == "true"


def describes_the_same(document: Document, other: Document) -> bool:
    """Return whether two documents name the same VM, accounts and keys."""
    mine, its = document.get("compute"), other.get("compute")
    if not isinstance(mine, dict) or not isinstance(its, dict):
        return mine == its
    return all(mine.get(name) == its.get(name) for name in ("name", OS_PROFILE, "publicKeys"))


def of_the_machine(document: Document) -> Document:
    """Return the fields of the machine itself, without account, keys, names, tags and user data."""
    compute = document.get("compute")
    if not isinstance(compute, dict):
        return {}
    return {"compute": {name: compute[name] for name in OF_THE_MACHINE if name in compute}}


def _extended(document: Document, name: str) -> Any:
    """Return a field of ``extended.compute``; None if it is missing."""
    found: Any = document
    for step in ("extended", "compute", name):
        if not isinstance(found, dict):
            return None
        found = found.get(step)
    return found


def _admin(profile: _Fields, keys: Tuple[SshKey, ...]) -> Optional[User]:
    """Return the admin account, or None if the document names none.

    Before api-version 2020-07-15 there is no osProfile. But each public key has a path, and Azure
    puts the keys of a Linux VM only into ``/home/NAME/.ssh/authorized_keys`` of the admin. So the
    path gives the name.
    """
    name = profile.text("adminUsername")
    for key in keys:
        steps = key.path.split("/")
        if not name and steps[:2] == ["", "home"] and steps[3:] == [".ssh", "authorized_keys"]:
            name = steps[2]
    password_login = profile.boolean("disablePasswordAuthentication")
    if password_login is not None:
        password_login = not password_login
    if not name:
        return None
    return User(name, keys, password_login)


def _keys(compute: _Fields) -> Tuple[SshKey, ...]:
    found = (
        SshKey(key.text("keyData"), key.loose_text("path")) for key in compute.objects("publicKeys")
    )
    return tuple(key for key in found if key.text)


def _tags(compute: _Fields) -> Dict[str, str]:
    tags = {}
    for tag in compute.loose_objects("tagsList"):
        name = tag.loose_text("name")
        if name:
            tags[name] = tag.json_text("value")
    return tags


class _Fields:
    """An object of the document. It knows its path, and gives a field only as the type that the
    caller asks for.

    The ``loose`` methods and ``json_text`` warn about a wrong type. The other methods refuse it.
    """

    def __init__(self, values: Mapping[str, Any], path: str, warnings: List[str]) -> None:
        self._values = values
        self._path = path
        self._warnings = warnings

    def text(self, name: str) -> str:
        """Return a string without white space around it. An absent one is ""."""
        return str(self._get(name, str) or "").strip()

    def loose_text(self, name: str) -> str:
        """Return a string, or the text of a number. Anything else is ""."""
        value = self._values.get(name)
        if value is None or isinstance(value, str):
            return (value or "").strip()
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            self._warn(name, "string", value, "used as text")
            return str(value)
        self._warn(name, "string", value, "ignored")
        return ""

    def json_text(self, name: str) -> str:
        """Return a string, or the JSON text of anything else."""
        value = self._values.get(name)
        if value is None or isinstance(value, str):
            return (value or "").strip()
        self._warn(name, "string", value, "used as text")
        return json.dumps(value, ensure_ascii=False)

    def boolean(self, name: str) -> Optional[bool]:
        """Return a boolean, which may be written as a string. An absent or empty one is None."""
        value = self._values.get(name)
        if value is None or isinstance(value, bool):
            return value
        word = ""
        if isinstance(value, str):
            word = value.strip().lower()
            if not word:
                return None
        if word not in ("true", "false"):
            raise self._wrong_type(name, "boolean", value)
        return word == "true"

    def object(self, name: str) -> _Fields:
        """Return an object. An absent one is empty."""
        return _Fields(self._get(name, dict) or {}, self._path + name + ".", self._warnings)

    def objects(self, name: str) -> Iterable[_Fields]:
        """Return the objects of an array, without nulls."""
        for place, value in enumerate(self._get(name, list) or []):
            if isinstance(value, dict):
                yield _Fields(value, "%s%s.%d." % (self._path, name, place), self._warnings)
            elif value is not None:
                raise self._wrong_type("%s.%d" % (name, place), "object", value)

    def loose_objects(self, name: str) -> Iterable[_Fields]:
        """Return the objects of an array, and ignore anything else."""
        values = self._values.get(name)
        if values is not None and not isinstance(values, list):
            self._warn(name, "array", values, "ignored")
            return
        for place, value in enumerate(values or []):
            if isinstance(value, dict):
                yield _Fields(value, "%s%s.%d." % (self._path, name, place), self._warnings)
            elif value is not None:
                self._warn("%s.%d" % (name, place), "object", value, "ignored")

    def _get(self, name: str, wanted: type) -> Any:
        value = self._values.get(name)
        if value is not None and not isinstance(value, wanted):
            raise self._wrong_type(name, TYPE_NAMES[wanted], value)
        return value

    def _wrong_type(self, name: str, expected: str, value: Any) -> MalformedError:
        # The error leaves out the value: it may be a secret in the wrong place.
        return MalformedError(
            "imds field has the wrong type",
            path=self._path + name,
            expected=expected,
            found=TYPE_NAMES[type(value)],
        )

    def _warn(self, name: str, expected: str, value: Any, effect: str) -> None:
        add_warning(
            self._warnings,
            "imds field %s has the wrong type (%s instead of %s) and is %s"
            % (self._path + name, TYPE_NAMES[type(value)], expected, effect),
        )
