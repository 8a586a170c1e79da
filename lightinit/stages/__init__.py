"""One file per stage, named as the stage."""
