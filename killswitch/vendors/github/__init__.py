"""GitHub: github.com, Enterprise Cloud and Enterprise Server."""
