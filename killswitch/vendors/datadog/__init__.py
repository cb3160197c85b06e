"""Datadog Cloud SIEM: its security signals, read only."""
