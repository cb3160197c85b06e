"""Playbooks from disk: found by name, read strictly, checked against the catalogue."""

from killswitch.playbooks.checks import Policy
from killswitch.playbooks.files import Lint, digest, lint, load, names
from killswitch.playbooks.lookups import render
from killswitch.playbooks.schema import json_schema, schema_text

__all__ = [
    "Lint",
    "Policy",
    "digest",
    "json_schema",
    "lint",
    "load",
    "names",
    "render",
    "schema_text",
]
