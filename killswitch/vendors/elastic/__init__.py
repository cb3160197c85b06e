"""Elastic Security: its detection alerts, read only."""
