"""Where packages come from: writes the files of package managers as a cloud-config says. One file
for each kind of manager that has keys of its own.
"""
