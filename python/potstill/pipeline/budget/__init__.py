"""From limits to a student: choices (ladder.py), meeting a budget (meet.py), the Pareto front (search.py)."""
