"""Playbooks from disk: found by name, read strictly, checked against the catalogue."""

from killswitch.playbooks.checks import Policy
from killswitch.playbooks.files import Lint, digest, lint, load, names
from killswitch.playbooks.lookups import render
from killswitch.playbooks.requests import default, request
from killswitch.playbooks.schema import json_schema, schema_text

__all__ = [
    "Lint",
    "Policy",
    "default",
    "digest",
    "json_schema",
    "lint",
    "load",
    "names",
    "render",
    "request",
    "schema_text",
]
