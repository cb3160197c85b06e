"""What is told afterwards, from plain data."""
