"""From limits to a student: the ladder of choices (ladder.py), meeting a budget (meet.py), the Pareto front (search.py)."""
