"""The only code that touches the machine. It may read what the kernel or a command says in one
line; whole file formats belong to ``formats``.
"""
