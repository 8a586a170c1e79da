"""MIME documents for tests."""

from __future__ import annotations

from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText


def multipart(*parts: str, subtype: str = "mixed") -> bytes:
    """A multipart. Each part is ``SUBTYPE[:FILENAME] CONTENT``."""
    outer = MIMEMultipart(subtype)
    for each in parts:
        kind, _, content = each.partition(" ")
        kind, _, name = kind.partition(":")
        part = MIMEText(content, kind, "utf-8")
        if name:
            part.add_header("Content-Disposition", "attachment", filename=name)
        outer.attach(part)
    return outer.as_bytes()
