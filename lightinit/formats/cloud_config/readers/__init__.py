"""What each subject of a cloud-config says, as types: one file for each subject.

A reader gets the keys of a whole cloud-config, of one document or merged from several, and returns
what they say and the mistakes in them. It reads no file and asks nothing of the machine.
"""
