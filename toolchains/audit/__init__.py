"""What a wheel or package must be, read from its files. Needs pyelftools."""
