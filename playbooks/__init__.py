"""The playbooks that ship, as package data."""
