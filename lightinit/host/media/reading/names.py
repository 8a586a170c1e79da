"""File systems, by their names, and the spellings of files' names on them."""

from __future__ import annotations

# Like typing.TYPE_CHECKING. Importing typing would take longer than everything else here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional, Sequence, Tuple

UDF, ISO, FAT, EXT = "udf", "iso9660", "vfat", "ext4"
SHORT_STEM, SHORT_END = 8, 3


def spellings(name: str) -> Tuple[str, ...]:
    """The forms that a file name may have on media, best first.

    ISO 9660 without Rock Ridge and Joliet has upper case, and strictly speaking no hyphens.
    """
    plain = name.replace("-", "_")
    return name, name.upper(), plain, plain.upper()


def find_entry(entries: Sequence[str], name: str, may_be_short: bool) -> Optional[str]:
    """The entry of a folder that stands for a name, or None.

    Args:
        entries: the names in the folder.
        name: the name as its owner wrote it.
        may_be_short: whether the file system may have cut names to eight characters and three, as
            ISO 9660 does at level 1. Such an entry counts only if there is no better one.
    """
    if name in entries:
        return name
    wanted = [name.lower(), name.replace("-", "_").lower()]
    if may_be_short:
        wanted += [shortened(name), shortened(name, "-")]
    for spelled in wanted:
        for entry in sorted(entries):
            # In ISO 9660 a dot and a version may follow the name, as in "NAME.;1".
            if entry.partition(";")[0].rstrip(".").lower() == spelled:
                return entry
    return None


def shortened(name: str, kept: str = "") -> str:
    """A name as ISO 9660 has it at level 1, in lower case: ``meta_data.json`` is ``meta_dat.jso``.
    Some tools can be told to keep other characters, such as ``kept``.

    Source: ECMA-119, 7.5 and 10.1.
    """
    plain = "".join(each if each.isalnum() or each in "." + kept else "_" for each in name.lower())
    stem, dot, end = plain.rpartition(".")
    if not dot:
        return plain[:SHORT_STEM]
    return stem.replace(".", "_")[:SHORT_STEM] + "." + end[:SHORT_END]
