"""What the key of a stored result is made of: the code that makes it, the libraries, and values of the recipe."""
