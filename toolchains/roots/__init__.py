"""Unpacked Debian systems of the boards."""
