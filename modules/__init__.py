"""The modules of the config stage, one file each. Installed as ``lightinit.modules``.

A module may import ``errors``, ``model``, ``settings``, ``formats``, ``host``, ``login`` and
``user_data``; never clients, state or another module.
"""
