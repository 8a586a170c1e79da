"""The only code that touches the machine. It may parse single lines of the kernel or of a command;
file formats belong to ``formats``.
"""
