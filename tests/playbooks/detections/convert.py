"""Writes converted.json: what pySigma makes of the rules for Splunk and Elastic.

Those backends want pySigma 1, the SQLite backend wants 2, so they cannot be installed together.
Run this in an environment of its own, and after every change of a rule or of its pipelines:

    pip install pysigma-backend-splunk==2.1.0 pysigma-backend-elasticsearch==2.1.1 pyyaml
    python tests/playbooks/detections/convert.py
"""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sigma.backends.elasticsearch import ESQLBackend
from sigma.backends.splunk import SplunkBackend
from sigma.collection import SigmaCollection
from sigma.exceptions import SigmaError
from sigma.processing.pipeline import ProcessingPipeline

HERE = Path(__file__).parent
DETECTIONS = HERE.parents[2] / "playbooks" / "detections"
MADE_WITH = ("pysigma", "pysigma-backend-splunk", "pysigma-backend-elasticsearch")


def main() -> None:
    """Convert every rule for both, and write down with what."""
    folders = {file.parent.name: converted(file) for file in sorted(DETECTIONS.glob("*/rule.yml"))}
    made = {"made with": {name: version(name) for name in MADE_WITH}, "folders": folders}
    (HERE / "converted.json").write_text(json.dumps(made, indent=1) + "\n")


def converted(file: Path) -> dict[str, Any]:
    """Both conversions of a file of rules, and a digest of what they were made of."""
    site, splunk = DETECTIONS / "site.yml", DETECTIONS / "splunk.yml"
    made_of = b"\0".join(part.read_bytes() for part in (file, site, splunk))
    return {
        "digest": hashlib.sha256(made_of).hexdigest(),
        "splunk": _queries(file, SplunkBackend, site, splunk),
        "elastic": _queries(file, ESQLBackend, site),
    }


def _queries(file: Path, backend: Any, *pipelines: Path) -> dict[str, Any]:
    read = [ProcessingPipeline.from_yaml(pipeline.read_text()) for pipeline in pipelines]
    try:
        rules = SigmaCollection.from_yaml(file.read_text())
        return {"queries": backend(sum(read, ProcessingPipeline())).convert(rules)}
    except SigmaError as error:
        return {"refused": str(error)}


if __name__ == "__main__":
    main()
