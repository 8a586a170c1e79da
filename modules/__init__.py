"""The modules of the config stage, one file each. Installed as ``lightinit.modules``.

A module sees ``errors``, ``model``, ``settings``, ``formats`` and ``host``; never clients, state or
another module.
"""
