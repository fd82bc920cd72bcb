"""What a build found, as a table for a terminal and as one HTML page. Reads `report.json`, computes nothing anew."""
