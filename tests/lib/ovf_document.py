"""The provisioning document that the tests read, and variants of it."""

from __future__ import annotations

import base64

CUSTOM = base64.b64encode(b"#!/bin/sh\necho hello >/run/hello\n").decode()
PRINT = "9A7C1F0E2B3D4C5E6F708192A3B4C5D6E7F80911"
WHOLE = """<?xml version="1.0" encoding="utf-8"?>
<ns0:Environment xmlns="http://schemas.dmtf.org/ovf/environment/1" \
xmlns:ns0="http://schemas.dmtf.org/ovf/environment/1"
 xmlns:ns1="http://schemas.microsoft.com/windowsazure" \
xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <ns1:ProvisioningSection>
    <ns1:Version>1.0</ns1:Version>
    <ns1:LinuxProvisioningConfigurationSet>
      <ns1:ConfigurationSetType>LinuxProvisioningConfiguration</ns1:ConfigurationSetType>
      <ns1:HostName>web-1</ns1:HostName>
      <ns1:UserName>azureuser</ns1:UserName>
      <ns1:UserPassword>Pa55 &amp; w&#246;rd:x</ns1:UserPassword>
      <ns1:DisableSshPasswordAuthentication>false</ns1:DisableSshPasswordAuthentication>
      <ns1:CustomData>%s</ns1:CustomData>
      <ns1:SSH>
        <ns1:PublicKeys>
          <ns1:PublicKey>
            <ns1:Fingerprint>9a:7c:1f:0e:2b:3d:4c:5e:6f:70:\
81:92:a3:b4:c5:d6:e7:f8:09:11</ns1:Fingerprint>
            <ns1:Path>/home/azureuser/.ssh/authorized_keys</ns1:Path>
            <ns1:Value>ssh-ed25519 AAAA one</ns1:Value>
          </ns1:PublicKey>
          <ns1:PublicKey>
            <ns1:Fingerprint>%s</ns1:Fingerprint>
            <ns1:Path>/home/azureuser/.ssh/authorized_keys</ns1:Path>
          </ns1:PublicKey>
        </ns1:PublicKeys>
        <ns1:KeyPairs/>
      </ns1:SSH>
    </ns1:LinuxProvisioningConfigurationSet>
  </ns1:ProvisioningSection>
  <ns1:PlatformSettingsSection>
    <ns1:Version>1.0</ns1:Version>
    <ns1:PlatformSettings>
      <ns1:KmsServerHostname>kms.core.windows.net</ns1:KmsServerHostname>
      <ns1:ProvisionGuestAgent>true</ns1:ProvisionGuestAgent>
      <ns1:GuestAgentPackageName xsi:nil="true"/>
      <ns1:PreprovisionedVm>True</ns1:PreprovisionedVm>
      <ns1:PreprovisionedVMType>Savable</ns1:PreprovisionedVMType>
    </ns1:PlatformSettings>
  </ns1:PlatformSettingsSection>
</ns0:Environment>
""" % (CUSTOM, PRINT)
PASSWORD = "<ns1:UserPassword>Pa55 &amp; w&#246;rd:x</ns1:UserPassword>"


def with_password(markup: str) -> bytes:
    assert PASSWORD in WHOLE
    return WHOLE.replace(PASSWORD, markup).encode()
