"""limits.conf: how many logins of a user pam_limits allows at a time.

Pure. Semantics: limits.conf(5). A line for the user counts more than one for a group, and that more
than one for everybody; of two such lines the later one counts.
"""

from __future__ import annotations

from typing import List, Optional, Sequence, Tuple

from lightinit.digits import read_digits
from lightinit.formats.blanks import words_of

ITEMS = ("maxlogins", "maxsyslogins")
_USER, _GROUP, _EVERYBODY = 3, 2, 1


def find_login_limit(
    texts: Sequence[str], user: str, groups: Sequence[str]
) -> Tuple[Optional[int], str]:
    """(how many logins the user may have at a time, the line that says so); None for any number.

    Args:
        texts: of limits.conf and of the files in limits.d, in the order in which they are read.
        user: the account's name.
        groups: the names of its groups.
    """
    limit: Optional[int] = None
    said, weight = "", 0
    for fields in _list_fields(texts):
        rank = _rank(fields[0], user, groups)
        if len(fields) == 2 and fields[1] == "-" and rank == _USER:
            return None, " ".join(fields)  # no limit holds for this user
        if len(fields) < 4 or fields[2] not in ITEMS or not rank or rank < weight:
            continue
        limit, said, weight = read_digits(fields[3]), " ".join(fields), rank
    return limit, said


def _list_fields(texts: Sequence[str]) -> List[List[str]]:
    lines = [words_of(line.split("#")[0]) for text in texts for line in text.split("\n")]
    return [fields for fields in lines if len(fields) > 1]


def _rank(domain: str, user: str, groups: Sequence[str]) -> int:
    """How much a line counts for a user; 0 if it is about others."""
    if domain == user:
        return _USER
    if domain == "*":
        return _EVERYBODY
    if domain[:1] in "@%" and domain[1:] in groups:
        return _GROUP
    return 0
