"""The kinds of user data that hold other pieces: one file for each."""
