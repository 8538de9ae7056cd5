"""One whole peer without input and output: roster, checks, sessions, delivery, features."""
