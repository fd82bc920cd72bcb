"""multilingual-e5-small as the demo package carries it, in 4 bits, and the transformers folder made of it."""
