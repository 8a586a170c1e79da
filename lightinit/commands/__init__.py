"""What the command line offers besides provisioning: one file per command, each a function that
returns text.
"""
