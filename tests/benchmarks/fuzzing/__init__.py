"""Parts of `fuzz.py`: valid things, how they are altered, and what must hold of them."""
