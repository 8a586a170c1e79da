"""Hooks: programs of the image in folders of /etc/lightinit/hooks.d. They run between the stages.

``find`` says which there are, ``run`` runs them, ``starts`` keeps one that restarts the machine
from doing so for ever. The stages know nothing of them: ``boot.py`` calls ``run`` before and after
each stage, and imports it only if there are hooks.
"""

from __future__ import annotations

from lightinit.model import Frequency

FOLDER = "/etc/lightinit/hooks.d"
STAGES = ("local", "fetch", "config", "final")
# They run at the end of the config stage, in this order: before the report, so that one that is
# required counts.
AFTER_MODULES = ("per-once", "per-instance", "per-boot")
FREQUENCIES = {"per-once": Frequency.ONCE, "per-boot": Frequency.BOOT}
PLACES = tuple(when + stage for stage in STAGES for when in ("before-", "after-")) + AFTER_MODULES
# The word that makes a hook's failure a failure of the boot, as in 20-required-mount.
REQUIRED = "required"
