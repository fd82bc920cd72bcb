"""What each scheme means in numbers (schemes.py), and the core's arithmetic in numpy (reference.py)."""
