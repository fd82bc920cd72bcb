"""Measuring a model on this machine, and predicting its time on a board (`predict/`).

Nothing heavy is imported before it is measured.
"""
