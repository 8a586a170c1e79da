"""NoCloud as a datasource: a seed that whoever starts the machine gives it.

It reports to nobody, and needs the network only for a seed at a URL.
"""

from __future__ import annotations

import base64
import logging
from typing import TYPE_CHECKING, Any, List, Mapping, Optional, Tuple

from lightinit.datasources.base import Anchor, Datasource
from lightinit.datasources.kept import machine_of
from lightinit.datasources.nocloud.local_seed import (
    ALONE,
    SEEDFROM,
    LocalSeed,
    find_local_seed,
    join,
    read_meta_data,
)
from lightinit.datasources.nocloud.places import (
    META_DATA,
    NETWORK_CONFIG,
    USER_DATA,
    VENDOR_DATA,
    read_given,
)
from lightinit.datasources.nocloud.settings import LABEL, SETTINGS, check_settings, is_url
from lightinit.datasources.nocloud.sign import find_sign
from lightinit.datasources.signs import CURRENT, Evidence, gather
from lightinit.errors import LibraryError, LightinitError, ProvisioningError
from lightinit.formats.hostname import short_names_first
from lightinit.formats.nocloud.meta_data import INSTANCE_ID, KEYS, read_keys, settle_id
from lightinit.formats.nocloud.network_config import asks_only_for_dhcp
from lightinit.host.identity import Dmi
from lightinit.host.system import System
from lightinit.model import Instance, Network, SshKey

if TYPE_CHECKING:
    from lightinit.host.network.http import OnRequest

LOG = logging.getLogger("lightinit.nocloud")
LOOK_EVERY_S = 0.5
# How cloud-init calls them in v1.subplatform.
SUBPLATFORMS = {"volume": "config-disk (%s)"}
UNSUPPORTED = "meta-data: %s is not supported; it is ignored"


class NoCloudDatasource(Datasource):
    """Reads the seed, once in each run.

    Args:
        system: the machine.
        options: the values of the section [nocloud].
        on_request: called after each request.
    """

    SETTINGS = SETTINGS
    check_settings = staticmethod(check_settings)
    NEEDS_NETWORK = False
    NOT_HERE = "no NoCloud seed is attached"

    def __init__(
        self, system: System, options: Mapping[str, Any], on_request: Optional[OnRequest] = None
    ) -> None:
        super().__init__(system, options, on_request)
        self._evidence = gather(system)
        self._local: Optional[LocalSeed] = None
        self._whole: Optional[LocalSeed] = None
        self._has_told_change = False

    # Which platform, which instance.

    def is_this_platform(self, dmi: Dmi) -> Optional[bool]:
        """Whether there is a seed, or a word about one. None if one may still come: only before
        this machine was ever provisioned, since a volume is often detached after that.
        """
        if find_sign(self._evidence, self.options).found:
            return True
        return False if self.system.exists(CURRENT) else None

    def why_unusable(self) -> str:
        """Why no seed can be read. Where a word or the settings say that there must be one, nothing
        replaces it.
        """
        if read_given(self._evidence).said_in or self.options["seedfrom"]:
            return ""
        try:
            self._read_local()
        except LightinitError as error:
            return str(error)
        return ""

    def confirm_platform(self, network: Network) -> None:
        """Wait for a seed: a device may come late.

        Raises:
            ProvisioningError: none has come.
        """
        wait_s, clock = float(self.options["media_wait_s"]), self.system.clock
        ends_s = clock.monotonic() + wait_s
        while True:
            self._evidence = Evidence(self.system)
            sign = find_sign(self._evidence, self.options)
            if sign.found:
                return
            if clock.monotonic() >= ends_s:
                raise ProvisioningError(
                    "no seed has come",
                    waited_s="%g" % wait_s,
                    looked_for=sign.why,
                    hint="attach a volume labelled %s with meta-data and user-data" % LABEL,
                )
            clock.sleep(LOOK_EVERY_S)

    def instance_id(self, dmi: Dmi) -> str:
        """The seed's instance-id, or one made of its content; "" if it is at a URL and no word
        names it.
        """
        try:
            local = self._read_local()
        except LightinitError as error:
            return self._keep_id(error)
        if local.url and not local.named_id:
            return ""
        return self._settle(local)[0]

    def ask_instance_id(self) -> Tuple[str, Tuple[str, ...]]:
        """The instance id of a seed at a URL.

        Raises:
            ProvisioningError: there is no seed, or it cannot be read.
        """
        return self._settle(self._read_whole())[0], ()  # fetch has the warnings

    def anchors(self) -> Tuple[Anchor, ...]:
        """The seed, and whatever would count before it, also if it is missing."""
        from lightinit.datasources.nocloud.anchoring import find_anchors

        try:
            return find_anchors(self.system, self.options, self._read_local())
        except LightinitError:
            return ()

    def begin(self) -> None:
        """Find out whether the network is needed."""
        try:
            self.NEEDS_NETWORK = bool(self._read_local().url)
        except LightinitError:
            pass  # fetch, or ask_instance_id, tells why

    # The data.

    def fetch(self, instance_id: str, announce: bool = False) -> Tuple[Instance, Tuple[str, ...]]:
        """The instance from the seed.

        Raises:
            ProvisioningError: there is no seed, or it cannot be read or downloaded.
        """
        seed = self._read_whole()
        warnings = list(seed.warnings)
        warnings += filter(None, [self._settle(seed)[1]])
        warnings += self._keep_network_config(seed)
        keys, notes = read_keys(seed.meta_data.values.get(KEYS))
        warnings += notes
        if "network-interfaces" in seed.meta_data.values:
            warnings.append(UNSUPPORTED % "network-interfaces")
        instance = self._make_instance(instance_id, seed, keys)
        warnings += filter(None, [self._tell_new_id(instance)])
        return instance, tuple(dict.fromkeys(warnings))

    def _make_instance(self, instance_id: str, seed: LocalSeed, keys: Tuple[str, ...]) -> Instance:
        names = (seed.text("local-hostname"), seed.text("hostname"))
        meta_data = {**seed.meta_data.values, **seed.given.values, "instance-id": instance_id}
        if is_url(str(meta_data.get(SEEDFROM))):
            from lightinit.host.network.download import show_url

            meta_data[SEEDFROM] = show_url(meta_data[SEEDFROM])  # its query may be a secret
        return Instance(
            instance_id,
            platform="nocloud",
            hostnames=short_names_first(names),
            location=seed.text("region"),
            zone=seed.text("availability-zone") or seed.text("availability_zone"),
            vm_size=seed.text("instance-type"),
            user_data=_as_base64(seed.files.get(USER_DATA, b"")),
            vendor_data=_as_base64(seed.files.get(VENDOR_DATA, b"")),
            public_keys=tuple(map(SshKey, keys)),
            subplatform=SUBPLATFORMS.get(seed.kind, "seed-dir (%s)") % seed.where,
            raw={
                "meta_data": meta_data,
                "seed": {
                    "kind": seed.kind,
                    "where": seed.where,
                    "machine": self._machine(),
                    "passed": dict(seed.passed),
                },
            },
        )

    def _keep_network_config(self, seed: LocalSeed) -> List[str]:
        data = seed.files.get(NETWORK_CONFIG, b"")
        if not data:
            return []
        self.documents = {**self.documents, NETWORK_CONFIG: data}
        if asks_only_for_dhcp(data):
            return []
        return [
            "network-config is not supported: the image's own network stays as it is; a copy is in"
            " /var/lib/lightinit/instance/network-config"
        ]

    # The seed.

    def _read_local(self) -> LocalSeed:
        if self._local is None:
            self._local = find_local_seed(self._evidence, self.options)
        return self._local

    def _read_whole(self) -> LocalSeed:
        """The seed with what is at its URL. The next boot tries again what failed."""
        if self._whole is not None:
            return self._whole
        local = self._read_local()
        if local.url:
            local = self._add_downloaded(local)
        self._whole = local
        return local

    def _add_downloaded(self, local: LocalSeed) -> LocalSeed:
        from lightinit.datasources.nocloud.url_seed import UrlSeed

        try:
            there = UrlSeed(self.system, local.url, self.options, self.on_request).read()
        except LibraryError:
            raise
        except LightinitError as error:
            if not local.may_do_alone:
                raise
            return local._replace(warnings=(*local.warnings, ALONE % (local.where, error)))
        warnings = list(local.warnings + there.warnings)
        meta_data = join(local.meta_data, read_meta_data(there.files, warnings))
        files = {**local.files, **there.files}
        return local._replace(files=files, meta_data=meta_data, warnings=tuple(warnings))

    def _settle(self, seed: LocalSeed) -> Tuple[str, str]:
        from lightinit.datasources.nocloud import former

        kept = ""
        if seed.is_word or seed.remainder[0]:
            kept = former.find_kept_id(self.system, self._machine(), seed.remainder)
        if kept:
            LOG.debug("the seed of instance %s has gone; the machine stays as it is", kept)
            return kept, ""
        found = settle_id(
            seed.named_id,
            self._machine(),
            seed.files.get(META_DATA, b""),
            seed.files.get(USER_DATA, b""),
        )
        if not self._has_told_change and not seed.url:
            self._has_told_change = True
            if former.has_changed(
                self.system, found[0], _as_base64(seed.files.get(USER_DATA, b""))
            ):
                LOG.warning(former.CHANGED)
        return found

    def _keep_id(self, error: LightinitError) -> str:
        """This machine's instance, if it has one already, whose seed cannot be read any more; else
        "", and ask_instance_id tells why.
        """
        from lightinit.datasources.nocloud.former import find_kept_id

        if read_given(self._evidence).values.get(INSTANCE_ID):
            return ""
        kept = find_kept_id(self.system, self._machine())
        if kept and not self._has_told_change:
            self._has_told_change = True
            LOG.warning("%s; this machine stays instance %s", error, kept)
        return kept

    def _tell_new_id(self, instance: Instance) -> str:
        from lightinit.datasources.nocloud.former import tell_new_id

        return tell_new_id(self.system, instance.id, self._machine(), instance.user_data)

    def _machine(self) -> str:
        return machine_of(self.system)


def _as_base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
