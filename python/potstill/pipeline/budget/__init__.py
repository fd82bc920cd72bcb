"""From limits to a student: choices (ladder.py), building one (attempt.py), meeting a budget (meet.py)."""
