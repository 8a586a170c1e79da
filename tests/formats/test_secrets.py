"""The one list of secret words decides for each document that is kept or shown."""

from __future__ import annotations

import pytest

from lightinit.formats import secrets
from lightinit.formats.azure import ovf_redaction

VALUE = "hunter2-hunter2"


@pytest.mark.parametrize("word", secrets.SECRET_WORDS)
def test_each_secret_word_strikes_out_in_json_and_in_xml(word: str) -> None:
    assert VALUE not in str(secrets.redact({"A-" + word: VALUE}))
    document = "<Environment><A-%s>%s</A-%s></Environment>" % (word, VALUE, word)
    redacted = ovf_redaction.redact(document.encode())
    assert VALUE.encode() not in redacted
    assert redacted != ovf_redaction.STUB  # the rest is still there


def test_a_name_that_is_no_secret_stays() -> None:
    assert secrets.redact({"hostName": VALUE}) == {"hostName": VALUE}
    document = b"<Environment><HostName>%s</HostName></Environment>" % VALUE.encode()
    assert ovf_redaction.redact(document) == document


def test_the_list_stands_in_one_place() -> None:
    """A second list could drift, and leak."""
    assert not hasattr(ovf_redaction, "SECRET_WORDS")
