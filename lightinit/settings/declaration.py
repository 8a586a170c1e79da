"""What is known of a module before it works."""

from __future__ import annotations

from typing import Tuple

from lightinit.model import Frequency, NamedTuple
from lightinit.settings import Setting


class Declaration(NamedTuple):
    """What a module declares. The names are those of a module's attributes, in
    lower case.

    Attributes:
        name: as in ``modules =``.
        frequency: how often it runs, unless the settings say otherwise.
        required: whether its failure fails the boot, unless the settings say otherwise.
        settings: the keys of its section, besides those that all modules have.
        needs_instance: whether it needs the platform's data.
        kept_in: the folders that have its results. If a restart empties one, it runs at each boot.
        opens_login: whether the admin's login needs it.
        makes_room: whether it makes room on a disk that is nearly full.
        cloud_config: the keys of a cloud-config that it takes, by ``from_cloud_config``.
        asked: whether it runs only where the instance's cloud-config has one of these.
        asked_field: these keys ask for it only with an entry in whose mapping this field is true;
            "": whatever their value is.
    """

    name: str
    frequency: Frequency
    required: bool
    settings: Tuple[Setting, ...] = ()
    needs_instance: bool = True
    kept_in: Tuple[str, ...] = ()
    opens_login: bool = False
    makes_room: bool = False
    cloud_config: Tuple[str, ...] = ()
    asked: bool = False
    asked_field: str = ""
