"""Finds the one seed that counts on this machine, and what there is to say about the others.

Only a URL is not read here: that needs the network.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Tuple

from lightinit.datasources.nocloud.places import (
    FOLDERS,
    META_DATA,
    USER_DATA,
    Given,
    SeedPlace,
    find_places,
    has_seed,
    read_given,
)
from lightinit.datasources.nocloud.seed import Seed, read_folder, read_seed
from lightinit.datasources.nocloud.settings import is_url, path_in
from lightinit.datasources.signs import Evidence
from lightinit.errors import LightinitError, ProvisioningError
from lightinit.formats.nocloud.meta_data import (
    INSTANCE_ID,
    KEYS,
    MetaData,
    has_content,
    read,
    read_keys,
    text_of,
)
from lightinit.host.system import System
from lightinit.model import NamedTuple
from lightinit.quick import cksum

SEEDFROM = "seedfrom"
ORDER = "docs/datasources.md has the order"
ALONE = "the seed at %s is used without what its seedfrom leads to: %s"
NO_PLACE = "attach a volume labelled cidata with meta-data and user-data"
WRONG_NAMES = "at its top must be meta-data and user-data, named without an ending such as .yaml"


class LocalSeed(NamedTuple):
    """What is known of the seed without a network.

    Attributes:
        kind: ``url``, ``line`` (words alone), or as that of a place.
        where: the path or URL; for words, where they are.
        given: what the words say.
        files: the seed's files on this machine.
        meta_data: those of these files.
        url: the rest is there; "" for nowhere.
        folder: likewise, a folder that the seed's meta-data name.
        passed: the seed folders that do not count, each with a checksum of its meta-data.
        warnings: one sentence each.
    """

    kind: str
    where: str
    given: Given
    files: Dict[str, bytes] = {}
    meta_data: MetaData = MetaData()
    url: str = ""
    folder: str = ""
    passed: Mapping[str, str] = {}
    warnings: Tuple[str, ...] = ()

    def text(self, key: str) -> str:
        """A value of the words, or else of the meta-data; "" for none."""
        return self.given.values.get(key) or text_of(self.meta_data, key)

    @property
    def named_id(self) -> str:
        """The instance id that is named, "" for none."""
        return self.text(INSTANCE_ID)

    @property
    def may_do_alone(self) -> bool:
        """Whether the files on this machine may give somebody a login without those at the URL: a
        volume or folder with keys, or with user data that are more than a first line.
        """
        if self.kind not in ("volume", "folder", "credentials"):
            return False
        return bool(read_keys(self.meta_data.values.get(KEYS))[0]) or has_content(
            self.files.get(USER_DATA, b"")
        )

    @property
    def is_word(self) -> bool:
        """Whether there is only a word, such as an image keeps it, without an id."""
        return self.kind == "line" and not self.named_id and not self.url

    @property
    def remainder(self) -> Tuple[str, str]:
        """The folder, if it is one that counts after all other places, and its checksum."""
        if self.kind != "folder" or self.where not in FOLDERS or self.given.values:
            return "", ""
        return self.where, cksum(self.files.get(META_DATA, b""))


def find_local_seed(evidence: Evidence, options: Mapping[str, Any]) -> LocalSeed:
    """Find the seed that counts, and read it.

    Raises:
        ProvisioningError: there is none where somebody says that it is, or it cannot be read.
    """
    given = read_given(evidence)
    warnings: List[str] = []
    named = given.values.get(SEEDFROM) or str(options[SEEDFROM])
    places = find_places(evidence, options)
    if named:
        found = _read_named(evidence, given, named, warnings)
        others = [place for place in places if place.where != found.where]
    else:
        found, others = _read_first(evidence, given, places, warnings)
    for place in others:
        warnings.append("there is also %s: it is not used, since %s" % (place, _why(found)))
    return found._replace(warnings=tuple(warnings), passed=_marks_of(evidence.system, others))


def _marks_of(system: System, places: List[SeedPlace]) -> Dict[str, str]:
    marks: Dict[str, str] = {}
    for folder in [place.where for place in places if place.kind == "folder"]:
        files = read_folder(system, folder, folder).files
        marks[folder] = cksum(files.get(META_DATA, b""))
    return marks


def _why(found: LocalSeed) -> str:
    return "%s counts before it; %s" % (found.where, ORDER)


def _read_named(
    evidence: Evidence,
    given: Given,
    named: str,
    warnings: List[str],
    before: Optional[LocalSeed] = None,
) -> LocalSeed:
    """The seed that ``seedfrom`` names."""
    from lightinit.datasources.nocloud.dmi_fields import fill_in  # few machines need it

    filled, notes = fill_in(evidence.system, named)
    warnings += notes
    if is_url(filled):
        from lightinit.host.network.download import show_url

        base: LocalSeed = before or LocalSeed("url", show_url(filled), given)
        return base._replace(url=filled)
    folder = path_in(filled).rstrip("/")
    if not folder or not has_seed(evidence.system, folder):
        raise ProvisioningError(
            "seedfrom leads to no seed",
            seedfrom=ascii(filled[:100]),
            hint="it must be a URL with http:// or https://, or a folder with meta-data and"
            " user-data",
        )
    seed = read_folder(evidence.system, folder, "the seed folder " + folder)
    warnings += seed.warnings
    return _with_meta_data(LocalSeed("folder", folder, given, seed.files), warnings)


def _read_first(
    evidence: Evidence, given: Given, places: List[SeedPlace], warnings: List[str]
) -> Tuple[LocalSeed, List[SeedPlace]]:
    """The first place that has a seed; and those after it."""
    failure = None
    for number, place in enumerate(places):
        try:
            seed = read_seed(evidence.system, place)
        except LightinitError as error:
            failure = failure or error
            warnings.append("%s cannot be read: %s" % (place, error))
            continue
        warnings += seed.warnings
        if not seed.is_seed and not seed.warnings:
            warnings.append("%s has neither meta-data nor user-data" % str(place))
            continue
        warnings += _missing(seed, place)
        found = _with_meta_data(LocalSeed(place.kind, place.where, given, seed.files), warnings)
        named = text_of(found.meta_data, SEEDFROM)
        if named:
            found = _follow(evidence, found, named, warnings)
        return found, places[number + 1 :]
    if failure is not None and not given.said_in:
        raise failure
    if not given.said_in:
        raise ProvisioningError(
            "no seed was found",
            looked_at=", ".join(map(str, places)) or "nothing",
            hint=WRONG_NAMES if places else NO_PLACE,
        )
    return LocalSeed("line", given.said_in[0], given), []


def _follow(evidence: Evidence, found: LocalSeed, named: str, warnings: List[str]) -> LocalSeed:
    """A seed whose meta-data say that the rest is elsewhere. They count before those there."""
    try:
        there = _read_named(evidence, found.given, named, warnings, found)
    except LightinitError as error:
        if not found.may_do_alone:
            raise
        warnings.append(ALONE % (found.where, error))
        return found
    if there.url:
        return there
    return found._replace(
        files={**found.files, **there.files},
        meta_data=join(found.meta_data, there.meta_data),
        folder=there.where,
    )


def join(first: MetaData, second: MetaData) -> MetaData:
    """Both together; the first one's values count."""
    texts = {key: text for key, text in second.texts.items() if key not in first.values}
    return MetaData(
        {**second.values, **first.values},
        {**texts, **first.texts},
        first.warnings + second.warnings,
    )


def _missing(seed: Seed, place: SeedPlace) -> List[str]:
    lacking = [name for name in (META_DATA, USER_DATA) if name not in seed.files]
    if not lacking or seed.warnings:
        return []
    return ["%s has no %s; cloud-init would not take it as a seed" % (place, lacking[0])]


def _with_meta_data(found: LocalSeed, warnings: List[str]) -> LocalSeed:
    meta_data = read_meta_data(found.files, warnings)
    return found._replace(meta_data=meta_data)


def read_meta_data(files: Mapping[str, bytes], warnings: List[str]) -> MetaData:
    """The meta-data of a seed's files; empty if they cannot be used, with a warning."""
    try:
        found = read(files.get(META_DATA, b""))
    except LightinitError as error:
        warnings.append("the meta-data are not used: %s" % error)
        return MetaData()
    warnings += found.warnings
    return found
