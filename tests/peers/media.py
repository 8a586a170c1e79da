"""Azure's provisioning media for other agents: an ISO image with ovf-env.xml, as the block device that a drive would be."""
from __future__ import annotations

import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Optional, Type
from xml.sax.saxutils import escape

OVF = """<?xml version="1.0" encoding="utf-8"?>
<ns0:Environment xmlns:ns0="http://schemas.dmtf.org/ovf/environment/1" \
xmlns:ns1="http://schemas.microsoft.com/windowsazure" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <ns1:ProvisioningSection>
    <ns1:Version>1.0</ns1:Version>
    <ns1:LinuxProvisioningConfigurationSet>
      <ns1:ConfigurationSetType>LinuxProvisioningConfiguration</ns1:ConfigurationSetType>
      <ns1:UserName>{user}</ns1:UserName>
      <ns1:DisableSshPasswordAuthentication>true</ns1:DisableSshPasswordAuthentication>
      <ns1:HostName>{host}</ns1:HostName>
      <ns1:SSH>
        <ns1:PublicKeys>
          <ns1:PublicKey>
            <ns1:Fingerprint>0000000000000000000000000000000000000000</ns1:Fingerprint>
            <ns1:Path>/home/{user}/.ssh/authorized_keys</ns1:Path>
            <ns1:Value>{key}</ns1:Value>
          </ns1:PublicKey>
        </ns1:PublicKeys>
      </ns1:SSH>
    </ns1:LinuxProvisioningConfigurationSet>
  </ns1:ProvisioningSection>
  <ns1:PlatformSettingsSection>
    <ns1:Version>1.0</ns1:Version>
    <ns1:PlatformSettings>
      <ns1:ProvisionGuestAgent>true</ns1:ProvisionGuestAgent>
      <ns1:GuestAgentPackageName xsi:nil="true" />
      <ns1:PreprovisionedVm>false</ns1:PreprovisionedVm>
    </ns1:PlatformSettings>
  </ns1:PlatformSettingsSection>
</ns0:Environment>
"""


class Media:
    """The media of one VM, attached to a loop device for as long as the ``with`` block lasts.

    Args:
        folder: where the image goes.
        host: the host name.
        user: the admin's name.
        key: the admin's SSH public key.
    """

    def __init__(self, folder: Path, host: str, user: str, key: str) -> None:
        self._image = folder / "media.iso"
        source = folder / "media"
        source.mkdir()
        (source / "ovf-env.xml").write_text(OVF.format(host=escape(host), user=escape(user), key=escape(key.strip())))
        subprocess.run(["genisoimage", "-quiet", "-R", "-J", "-V", "rd_rdfe_stable", "-o", str(self._image), str(source)],
                       check=True)
        self._device = ""

    def __enter__(self) -> "Media":
        # Whoever else takes a loop device at this moment makes this fail now and then; losetup then says busy.
        for _ in range(10):
            ended = subprocess.run(["losetup", "--find", "--show", "--read-only", str(self._image)],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
            if ended.returncode == 0:
                self._device = ended.stdout.strip()
                return self
        raise AssertionError("no loop device for the media: " + ended.stderr)

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        subprocess.run(["losetup", "--detach", self._device], check=True)

    @property
    def number(self) -> str:
        """The device's numbers, as ``major:minor``."""
        status = os.stat(self._device)
        return "%d:%d" % (os.major(status.st_rdev), os.minor(status.st_rdev))
