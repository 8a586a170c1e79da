"""The formats that put several pieces of user data into one: bytes in, pieces out."""
