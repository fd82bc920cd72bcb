"""Wheels and the source archive."""
