"""How a machine with a NoCloud seed is recognised."""

from __future__ import annotations

from typing import Any, Mapping

from lightinit.datasources.nocloud.places import find_places, read_given
from lightinit.datasources.nocloud.settings import AUTO, LABEL, NONE
from lightinit.datasources.signs import Evidence, Sign, find_unfinished


def find_sign(evidence: Evidence, options: Mapping[str, Any]) -> Sign:
    """Look for a word ``ds=nocloud``, and for a seed.

    Args:
        evidence: what the machine shows.
        options: the section's values; a missing key has its default.
    """
    given = read_given(evidence)
    if given.said_in:
        return Sign(True, "%s has ds=nocloud" % given.said_in[0])
    if options.get("seedfrom"):
        return Sign(True, "seedfrom in the settings names a seed")
    places = find_places(evidence, options)
    if places:
        return Sign(True, "there is %s" % str(places[0]))
    unfinished = find_unfinished(evidence.system, "nocloud")
    if unfinished.found:
        return unfinished
    return Sign(False, "no ds=nocloud, no seed folder, " + _describe_missing(options))


def _describe_missing(options: Mapping[str, Any]) -> str:
    media = str(options.get("media", AUTO))
    if media == NONE:
        return "and volumes are not used"
    if media != AUTO:
        return "and %s of the settings does not exist" % media
    return "no volume labelled %s" % (options.get("label") or LABEL)
