"""The commands, a file for each family; the table of them is in toolchain/plugins.py."""
