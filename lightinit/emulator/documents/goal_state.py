"""Writes the WireServer's goal state, in its good form and in faulty forms.

Knows no HTTP and no scenario file: values in, a body out. Source of the element names and URL
forms: public traces of the WireServer protocol, version 2012-11-30.
"""

from __future__ import annotations

from typing import Any, Dict, Sequence, Tuple
from xml.etree import ElementTree

from lightinit.emulator.documents.store import dress
from lightinit.emulator.wire.messages import Body

VERSION = "2012-11-30"

_TEMPLATE = """<GoalState xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
xsi:noNamespaceSchemaLocation="goalstate10.xsd">
  <Version>{version}</Version>
  <Incarnation>{incarnation}</Incarnation>
  <Machine>
    <ExpectedState>Started</ExpectedState>
    <StopRolesDeadlineHint>300000</StopRolesDeadlineHint>
    <LBProbePorts>
      <Port>16001</Port>
    </LBProbePorts>
    <ExpectHealthReport>FALSE</ExpectHealthReport>
  </Machine>
  <Container>
    <ContainerId>{container}</ContainerId>
    <RoleInstanceList>
      <RoleInstance>
        <InstanceId>{role}</InstanceId>
        <State>Started</State>
        <Configuration>
          <HostingEnvironmentConfig>{base}?comp=config&amp;type=hostingEnvironmentConfig&amp;{tail}\
</HostingEnvironmentConfig>
          <SharedConfig>{base}?comp=config&amp;type=sharedConfig&amp;{tail}</SharedConfig>
          <ExtensionsConfig>{base}?comp=config&amp;type=extensionsConfig&amp;{tail}\
</ExtensionsConfig>
          <FullConfig>{base}?comp=config&amp;type=fullConfig&amp;{tail}</FullConfig>
          <Certificates>{base}?comp=certificates&amp;{tail}</Certificates>
          <ConfigName>{config}</ConfigName>
        </Configuration>
      </RoleInstance>
    </RoleInstanceList>
  </Container>
</GoalState>"""


def _escape(text: str) -> str:
    """Escape text for XML. The standard library's function would also import an HTTP client."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def name_config(role_id: str) -> str:
    """Return a role instance's ConfigName. Requests to the HostGAPlugin must contain it."""
    return "%s.0.%s.0.config.xml" % (role_id, role_id)


def format_goal_state(incarnation: str, container_id: str, role_id: str, authority: str) -> str:
    """Return the good goal state, without an XML declaration.

    Args:
        incarnation: the current incarnation.
        container_id: the VM's container id.
        role_id: the id of its only role instance.
        authority: the WireServer's "host:port", for the URLs in the document.
    """
    escaped = role_id.replace("-", "%2D").replace("_", "%5F")
    return _TEMPLATE.format(
        version=VERSION,
        incarnation=_escape(incarnation),
        container=_escape(container_id),
        role=_escape(role_id),
        config=_escape(name_config(role_id)),
        base="http://%s/machine/%s/%s" % (authority, _escape(container_id), _escape(escaped)),
        tail="incarnation=" + _escape(incarnation),
    )


def _find(root: ElementTree.Element, words: Sequence[str], create: bool) -> Any:
    node = root
    for word in words:
        child = node.find(word)
        if child is None:
            if not create:
                return None
            child = ElementTree.SubElement(node, word)
        node = child
    return node


def has_element(text: str, path: str) -> bool:
    """Return whether a dotted path, starting below GoalState, names an element."""
    root = ElementTree.fromstring(text)  # noqa: S314 - our own text
    return _find(root, path.split("."), create=False) is not None


def edit_goal_state(text: str, omit: Sequence[str], settings: Dict[str, Any]) -> str:
    """Return the goal state with elements removed or their text changed.

    Args:
        text: a goal state.
        omit: dotted paths, starting below GoalState, of elements to remove.
        settings: dotted path to text; None empties the element. Missing elements are added.
    """
    root = ElementTree.fromstring(text)  # noqa: S314 - our own text
    for path in omit:
        *above, name = path.split(".")
        parent = _find(root, above, create=False)
        for child in [] if parent is None else parent.findall(name):
            parent.remove(child)
    for path, value in settings.items():
        node = _find(root, path.split("."), create=True)
        for child in list(node):
            node.remove(child)
        node.text = value
    return ElementTree.tostring(root, encoding="unicode")


def _entities(names: Sequence[str]) -> Tuple[str, str]:
    """Return the DOCTYPE and the entity reference of the variants; "" if there is none."""
    if "entity-bomb" in names:
        lines = ['<!ENTITY e0 "lightinit">']
        lines += [
            '<!ENTITY e%d "%s">' % (level, "&e%d;" % (level - 1) * 10) for level in range(1, 10)
        ]
        return "<!DOCTYPE GoalState [\n%s\n]>\n" % "\n".join(lines), "&e9;"
    if "external-entity" in names:
        return (
            '<!DOCTYPE GoalState [\n<!ENTITY outside SYSTEM "file:///etc/hostname">\n]>\n',
            "&outside;",
        )
    if "dtd" in names:
        return "<!DOCTYPE GoalState [\n<!ELEMENT GoalState ANY>\n]>\n", ""
    return "", ""


def encode_goal_state(text: str, variants: Sequence[str] = ()) -> Body:
    """Return the goal state as the bytes of an answer.

    Args:
        text: a goal state without an XML declaration.
        variants: faulty forms, from ``faults.VARIANTS["goalstate"]``.
    """
    doctype, reference = _entities(variants)
    if reference:
        text = text.replace(">Started<", ">%s<" % reference, 1)
    text = '<?xml version="1.0" encoding="utf-8"?>\n' + doctype + text
    return dress(text.encode("utf-8"), variants)


def format_versions(versions: Sequence[str]) -> bytes:
    """Return the answer to ``/?comp=versions``; the first version is the preferred one."""
    supported = "".join("\n    <Version>%s</Version>" % _escape(version) for version in versions)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<Versions>\n  <Preferred>\n   '
        " <Version>%s</Version>\n  </Preferred>\n  <Supported>%s\n  </Supported>\n</Versions>\n"
        % (_escape(versions[0]) if versions else "", supported)
    ).encode("utf-8")
