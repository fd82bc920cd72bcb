"""Measuring: time against peers (`measure`), memory and load time in fresh processes (`memory`).

One file a peer in `peers/`. Nothing heavy is imported before it is measured.
"""
