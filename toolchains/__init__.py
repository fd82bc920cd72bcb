"""Cross building and emulation: what noxfile.py uses. Needs no package beyond the standard library, except audit.py."""
