r"""Words and lines in text that others wrote: the host's files, and answers of tools.

C's isspace takes six characters for blanks. For ``str.split()``, ``strip()`` and ``\s``, the bytes
0x1c to 0x1f, U+0085, the no-break space U+00A0 and many more are blanks, too, and ``splitlines``
ends a line at ten characters. Whoever reads a file in that way reads what its own program does not:
a name that nobody has, a rule where there is a comment.
"""

from __future__ import annotations

import re
from typing import List

BLANKS = " \t\n\v\f\r"  # isspace(3) in the C locale, as glibc, apt and shadow's tools have them
SPACES = " \t"  # of most formats, such as fstab and PAM's files


def words_of(text: str, blanks: str = BLANKS) -> List[str]:
    """The words of a text, as ``str.split()`` gives them, but parted at ``blanks`` alone.

    Args:
        text: a line, as a rule.
        blanks: :data:`BLANKS` or :data:`SPACES`.
    """
    return [word for word in re.split("[%s]" % blanks, text) if word]
