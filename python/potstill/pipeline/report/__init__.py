"""What a build found, as a table for a terminal and as one HTML page, and how far its figures can be trusted."""
