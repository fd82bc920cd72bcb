"""`potstill search`: students from the cheapest to the most able (points.py), as a table and a picture (show.py)."""
