"""Lists what is on a volume with a tool, so that several files of it can be found and read.

Besides the tools of ``tools.py``, mtools reads FAT. bsdtar goes before 7-Zip for ISO 9660, since
7-Zip does not tell links from empty files there.
"""

from __future__ import annotations

from lightinit.host.media.reading import tools
from lightinit.host.media.reading.names import EXT, FAT, ISO, UDF
from lightinit.host.media.reading.trees import ABSENT, FILE, FOLDER, LINK, Listing

# Like typing.TYPE_CHECKING. Importing typing would take longer than everything else here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Iterator, List, Optional, Tuple

    from lightinit.host.media.reading.trees import Tree

    Entries = List[Tuple[str, str, str]]

LIST_BYTES = 1024 * 1024
SEVEN, GRUB = ("7z", "7zz"), ("grub-fstest", "grub2-fstest")
SEVEN_TYPES = {UDF: "-tudf", ISO: "-tiso", FAT: "-tfat", EXT: "-text"}
FIRST = {ISO: ("bsdtar",), FAT: ("mdir",)}


def trees(path: str, kind: str, uid: int) -> Iterator[Tuple[str, Tree]]:
    """What each tool that is installed sees on a volume, best first; with the tool's name.

    Args:
        path: the device, or an image of it.
        kind: the file system.
        uid: the user as whom the tools run.
    """
    for tool in FIRST.get(kind, ()) + SEVEN + GRUB:
        program = tools.find_program(tool)
        if program is None:
            continue
        if tool in GRUB:
            yield tool, GrubTree(program, path, uid)
            continue
        listed = tools.run_tool(_list_command(program, tool, path, kind), LIST_BYTES, uid)
        if listed is None or len(listed) > LIST_BYTES:
            continue
        text = listed.decode("utf-8", "replace")
        if tool == "bsdtar" and sees_links_alone(text):
            continue
        entries = _entries(tool, text)
        yield tool, Listing(entries, _Extract(program, tool, path, kind, uid))


def _list_command(program: str, tool: str, path: str, kind: str) -> List[str]:
    if tool == "bsdtar":
        return [program, "-tvf", path]
    if tool == "mdir":
        return [program, "-/", "-b", "-i", path, "::/"]
    return [program, "l", "-slt", "-ba", SEVEN_TYPES[kind], "--", path]


def _entries(tool: str, listed: str) -> Entries:
    if tool == "bsdtar":
        return bsdtar_entries(listed)
    if tool == "mdir":
        return mdir_entries(listed)
    return seven_entries(listed)


class _Extract:
    """Reads one file of a volume with a tool that writes it to its standard output."""

    def __init__(self, program: str, tool: str, path: str, kind: str, uid: int) -> None:
        self._program, self._tool, self._path = program, tool, path
        self._kind, self._uid = kind, uid

    def __call__(self, name: str, most: int) -> bytes:
        program = self._program
        argv = [program, "e", "-so", "-bd", SEVEN_TYPES[self._kind], "--", self._path, name]
        if self._tool == "bsdtar":
            argv = [program, "-xOf", self._path, name]
        elif self._tool == "mdir":
            argv = [program[: -len("mdir")] + "mcopy", "-n", "-i", self._path, "::/" + name, "-"]
        return checked(tools.run_tool(argv, most, self._uid), self._tool, name)[:most]


class GrubTree(Listing):
    """What GRUB sees on a volume. It lists one folder at a time, and follows links by itself,
    never out of the volume.
    """

    def __init__(self, program: str, path: str, uid: int) -> None:
        super().__init__((), self._extract)
        self._program, self._path, self._uid = program, path, uid
        self._folders: Dict[str, List[str]] = {}

    def kind(self, path: str) -> str:
        """What is at a path below the top."""
        folder, _, name = path.rpartition("/")
        listed = self._listed(folder)
        if name + "/" in listed:
            return FOLDER
        return FILE if name in listed else ABSENT

    def names(self, path: str) -> List[str]:
        """The names in a folder."""
        return [each.rstrip("/") for each in self._listed(path)]

    def target(self, path: str) -> str:
        """Nothing is a link here."""
        return path

    def _extract(self, path: str, most: int) -> bytes:
        return checked(self._run("cat", path, most), "GRUB", path)[:most]

    def _listed(self, folder: str) -> List[str]:
        if folder not in self._folders:
            listed = self._run("ls", folder.rstrip("/") + "/" if folder else "", LIST_BYTES) or b""
            self._folders[folder] = listed.decode("utf-8", "replace").split()
        return self._folders[folder]

    def _run(self, command: str, path: str, most: int) -> Optional[bytes]:
        argv = [self._program, self._path, command, "/" + path]
        return tools.run_tool(argv, most, self._uid, wants_file=self._uid == tools.NOBODY)


def checked(data: Optional[bytes], tool: str, name: str) -> bytes:
    """``data``, unless the tool has failed.

    Raises:
        OSError: it has.
    """
    if data is None:
        raise OSError(5, "%s cannot read its %s" % (tool, name))
    return data


def bsdtar_entries(listed: str) -> Entries:
    """What ``bsdtar -tv`` lists: mode, links, owner, group, size, three words of time, name."""
    found = []
    for line in listed.splitlines():
        words = line.split(None, 8)
        if len(words) == 9:
            name, _, target = words[8].partition(" -> ")
            kind = {"d": FOLDER, "l": LINK}.get(line[0], FILE)
            found.append((name, kind, target))
    return found


def sees_links_alone(listed: str) -> bool:
    """Whether ``bsdtar -tv`` takes all files for links of each other, and thus for empty ones: some
    writers of ISO 9660, such as Lima's, give all files the same serial number.
    """
    files = [line.split(None, 5) for line in listed.splitlines() if line.startswith("-")]
    files = [words for words in files if len(words) > 4]
    is_empty = all(words[4] == "0" for words in files)
    return is_empty and any(words[1] != "1" for words in files)


def mdir_entries(listed: str) -> Entries:
    """What ``mdir -b`` lists: ``::/name``, with a slash after a folder."""
    return [
        (line[3:], FOLDER if line.endswith("/") else FILE, "")
        for line in listed.splitlines()
        if line.startswith("::/")
    ]


def seven_entries(listed: str) -> Entries:
    """What ``7z l -slt`` lists: blocks of lines with ``Key = value``."""
    found = []
    for block in listed.replace("\r\n", "\n").split("\n\n"):
        fields = dict(line.partition(" = ")[::2] for line in block.splitlines())
        target = fields.get("Symbolic Link", "")
        kind = FOLDER if fields.get("Folder") == "+" else FILE
        if fields.get("Path"):
            found.append((fields["Path"], LINK if target else kind, target))
    return found
