"""Measuring: time in this process (`measure`), against peers in processes of their own (`run`, `versus`), on several
Python threads at once (`scaling`), memory and load time in fresh processes (`memory`).

One file a peer in `peers/`. Nothing heavy is imported before it is measured.
"""
