"""The documents that the goal state's URLs lead to: values in, XML out. Knows no HTTP.

Source of the element names: public traces of the WireServer protocol, version 2012-11-30. These are
the documents of a VM without extensions, with only the elements that agents are known to read.
"""

from __future__ import annotations

from typing import Callable, Dict, NamedTuple

_HEAD = '<?xml version="1.0" encoding="utf-8"?>\n'
_SCHEMA = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
# Where an extension's state would be uploaded. Here the HostGAPlugin receives it instead.
_STATUS_BLOB = "https://lightinit.blob.example/status/%s?sig=none"
_HOSTING = """<HostingEnvironmentConfig version="1.0.0.0" goalStateIncarnation="{incarnation}">
  <StoredCertificates />
  <Deployment name="{container}" guid="{{{container}}}" incarnation="0" \
isNonCancellableTopologyChangeEnabled="false">
    <Service name="lightinit" guid="{{00000000-0000-0000-0000-000000000000}}" />
    <ServiceInstance name="lightinit.0" guid="{{{container}}}" />
  </Deployment>
  <Incarnation number="1" instance="{name}" guid="{{{container}}}" />
  <Role guid="{{{container}}}" name="{name}" hostingEnvironmentVersion="1" software="" \
softwareType="ApplicationPackage" \
entryPoint="" parameters="" settleTimeSeconds="10" />
  <HostingEnvironmentSettings name="full" Runtime="rd_fabric_stable" />
  <ApplicationSettings />
  <ResourceReferences />
</HostingEnvironmentConfig>"""
_SHARED = """<SharedConfig version="1.0.0.0" goalStateIncarnation="{incarnation}">
  <Deployment name="{container}" guid="{{{container}}}" incarnation="0" \
isNonCancellableTopologyChangeEnabled="false">
    <Service name="lightinit" guid="{{00000000-0000-0000-0000-000000000000}}" />
    <ServiceInstance name="lightinit.0" guid="{{{container}}}" />
  </Deployment>
  <Incarnation number="1" instance="{instance}" guid="{{{container}}}" />
  <Role guid="{{{container}}}" name="{instance}" settleTimeSeconds="10" />
  <LoadBalancerSettings timeoutSeconds="0" waitLoadBalancerProbeCount="8" />
  <OutputEndpoints>
    <Endpoint name="{instance}:openInternalEndpoint" type="SFS">
      <Target instance="{instance}" endpoint="openInternalEndpoint" />
    </Endpoint>
  </OutputEndpoints>
  <Instances>
    <Instance id="{instance}" address="{private}">
      <FaultDomains randomId="0" updateId="0" updateCount="0" />
      <InputEndpoints>
        <Endpoint name="openInternalEndpoint" address="{private}" protocol="any" \
isPublic="false" enableDirectServerReturn="false" isDirectAddress="false" \
disableStealthMode="false">
          <LocalPorts>
            <LocalPortSelfManaged />
          </LocalPorts>
        </Endpoint>{public}
      </InputEndpoints>
    </Instance>
  </Instances>
</SharedConfig>"""
_PUBLIC = """
        <Endpoint name="SSH" address="{private}:22" protocol="tcp" isPublic="true" \
loadBalancedPublicAddress="{public}:22" enableDirectServerReturn="false" \
isDirectAddress="false" disableStealthMode="false">
          <LocalPorts>
            <LocalPortRange from="22" to="22" />
          </LocalPorts>
        </Endpoint>"""
_EXTENSIONS = (
    """<Extensions version="1.0.0.0" goalStateIncarnation="{incarnation}">
  <GuestAgentExtension %s>
    <GAFamilies />
    <Location />
    <ServiceName>CRP</ServiceName>
  </GuestAgentExtension>
  <Plugins />
  <PluginSettings />
  <StatusUploadBlob statusBlobType="BlockBlob">{blob}</StatusUploadBlob>
  <InVMGoalStateMetaData inSvdSeqNo="{incarnation}" createdOnTicks="638712000000000000" \
activityId="{container}" correlationId="{container}" />
</Extensions>"""
    % _SCHEMA
)


class Names(NamedTuple):
    """What goes into the documents: the VM's name, ContainerId, InstanceId, incarnation and
    addresses; ``public`` may be "".
    """

    vm: str
    container_id: str
    role_id: str
    incarnation: str
    private: str
    public: str

    @property
    def instance(self) -> str:
        """The last part of InstanceId, by which a SharedConfig names its instances."""
        return self.role_id.partition(".")[2]


def _escape(text: str) -> str:
    return (
        text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    )


def _fill(template: str) -> Callable[[Names], bytes]:
    def fill(names: Names) -> bytes:
        container, private = _escape(names.container_id), _escape(names.private)
        public = ""
        if names.public:
            public = _PUBLIC.format(private=private, public=_escape(names.public))
        return (
            _HEAD
            + template.format(
                incarnation=_escape(names.incarnation),
                container=container,
                instance=_escape(names.instance),
                private=private,
                public=public,
                name=_escape(names.vm),
                blob=_STATUS_BLOB % container,
            )
            + "\n"
        ).encode("utf-8")

    return fill


# The keys are values of the parameter `type` in the goal state's URLs. FullConfig is missing: no
# agent is known to request it, and its content is not documented.
CONFIGS: Dict[str, Callable[[Names], bytes]] = {
    "hostingEnvironmentConfig": _fill(_HOSTING),
    "sharedConfig": _fill(_SHARED),
    "extensionsConfig": _fill(_EXTENSIONS),
}
