"""Simulated vendors over one world, on 127.0.0.1."""
