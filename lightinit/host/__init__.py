"""The only code that touches the machine. It never interprets a format: that is the work of
``formats``.
"""
