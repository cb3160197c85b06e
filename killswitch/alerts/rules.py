"""Trigger rules: strict YAML that says which alert asks for which playbook, about whom.

One file a rule, in ``playbooks/triggers/`` or the directory that ``alerts: triggers:`` names. A
rule names fields of the alert by JMESPath and compares them with literals; nothing else in a rule
is an expression. Rules of sources that are not configured are left aside.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import jmespath
from jmespath.exceptions import JMESPathError
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from killswitch import playbooks, strictyaml, typed
from killswitch.config import Config
from killswitch.model import codec
from killswitch.model.errors import Invalid
from killswitch.model.playbook import Duration, Name, Playbook
from killswitch.strictyaml import Document

DAY = timedelta(days=1)
LONGEST_COLLECT = timedelta(minutes=10)
LEAST_COLLECT = timedelta(seconds=10)  # before anything goes ahead without people


def _path(value: Any) -> Any:
    """A JMESPath expression, as text."""
    if not isinstance(value, str) or not value:
        raise ValueError("a JMESPath expression, such as result.user")
    try:
        jmespath.compile(value)
    except JMESPathError as error:
        raise ValueError("a JMESPath expression, such as result.user") from error
    return value


JmesPath = Annotated[str, BeforeValidator(_path), Field(max_length=300)]
Literals = tuple[str | int | bool, ...]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class When(_Model):
    """One field of the alert, and the values that it may have. Compared exactly."""

    field: JmesPath
    is_: Annotated[Literals, Field(min_length=1, alias="is")]


class Fields(_Model):
    """Where else in the alert something stands. What is left out is not looked for."""

    id: JmesPath | None = None
    occurred: JmesPath | None = None
    link: JmesPath | None = None


class RuleCap(_Model):
    """At most so many people within that time; beyond it a person looks first."""

    people: int = Field(3, ge=1, le=1000)
    within: Duration = timedelta(hours=1)


class Trigger(_Model):
    """The whole file."""

    trigger: Name
    version: int = Field(ge=1)
    summary: str = Field(min_length=1, max_length=300)
    source: Name
    when: Annotated[tuple[When, ...], Field(min_length=1)]
    subject: JmesPath
    fields: Fields = Fields()
    severity: Literal["low", "medium", "high", "critical"] = "high"
    playbook: Name
    level: Literal["observe", "evidence", "propose", "reversible"] = "propose"
    caps: RuleCap = RuleCap()
    collect: Duration = timedelta(0)
    not_older: Duration = timedelta(hours=1)


@dataclass(frozen=True)
class Rule:
    """A trigger in force, with the playbook that it asks for."""

    trigger: Trigger
    playbook: Playbook

    @property
    def name(self) -> str:
        """The trigger's own."""
        return self.trigger.trigger

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the trigger's canonical JSON: comments and layout don't count."""
        return codec.digest(self.trigger.model_dump(mode="json", by_alias=True))

    def find(self, path: str, data: Any) -> Any:
        """What stands at a JMESPath; None if nothing. Raises JMESPathError: a wrong kind."""
        return jmespath.compile(path).search(data)

    def matches(self, data: Any) -> bool:
        """Whether every ``when`` holds. A path that does not fit the data does not hold."""
        return all(self._holds(when, data) for when in self.trigger.when)

    def could_match(self, scalars: frozenset[Any]) -> bool:
        """Whether an alert with these values anywhere in it could be one of this rule's.

        Cheaper and wider than ``matches``: a push can bring several alerts, or only a part.
        """
        return all(
            any(value in scalars for value in when.is_)
            for when in self.trigger.when
            if all(isinstance(value, str) for value in when.is_)
        )

    def _holds(self, when: When, data: Any) -> bool:
        try:
            found = self.find(when.field, data)
        except JMESPathError:
            return False
        return any(type(found) is type(value) and found == value for value in when.is_)


@dataclass(frozen=True)
class Lint:
    """What was found in the files: rules in force, errors, and what is merely odd."""

    rules: tuple[Rule, ...] = ()
    errors: tuple[Invalid, ...] = ()
    warnings: tuple[Invalid, ...] = field(default=())


def lint(config: Config) -> Lint:
    """Read every trigger. Never raises Invalid: everything wrong is in the answer, by line."""
    rules: list[Rule] = []
    errors: list[Invalid] = []
    warnings: list[Invalid] = []
    for file in files(config):
        found = _lint(file, config)
        rules += found.rules
        errors += found.errors
        warnings += found.warnings
    return Lint(tuple(rules), tuple(errors), tuple(warnings))


def files(config: Config) -> list[Path]:
    """The trigger files: those that ship, or those in the configured directory."""
    return sorted(directory(config).glob("*.yaml"))


def directory(config: Config) -> Path:
    """Where the triggers are."""
    alerts = config.written.alerts
    if alerts and alerts.triggers:
        return config.path(alerts.triggers)
    return Path(str(resources.files("playbooks"))) / "triggers"


def _lint(file: Path, config: Config) -> Lint:
    try:
        document = strictyaml.read(file)
    except Invalid as error:
        return Lint(errors=(error,))
    trigger, errors = typed.validate(Trigger, document.data, document)
    if trigger is None:
        return Lint(errors=tuple(sorted(errors, key=lambda e: e.line)))
    errors = list(_wrong(trigger, document, file))
    if errors:
        return Lint(errors=tuple(errors))
    sources = config.written.alerts.sources if config.written.alerts else {}
    if trigger.source not in sources:
        why = f"not in force: no source {trigger.source!r} is configured"
        guess = typed.did_you_mean(trigger.source, sources)
        return Lint(warnings=(document.invalid(("source",), why + guess, "one of alerts.sources"),))
    try:
        playbook = playbooks.load(trigger.playbook, policy=config)
    except Invalid as error:
        why = f"the playbook cannot be used: {error}"
        return Lint(errors=(document.invalid(("playbook",), why, "a playbook without errors"),))
    errors = [*_unattended(trigger, playbook, document), *_by_itself(trigger, config, document)]
    return Lint(errors=tuple(errors)) if errors else Lint(rules=(Rule(trigger, playbook),))


def _wrong(trigger: Trigger, document: Document, file: Path) -> Iterator[Invalid]:
    if trigger.trigger != file.stem:
        why = f"the file {file.name} holds the trigger {trigger.trigger!r}"
        yield document.invalid(("trigger",), why, f"trigger: {file.stem}")
    for key, span in (("within", trigger.caps.within), ("not_older", trigger.not_older)):
        where = ("caps", key) if key == "within" else (key,)
        if not timedelta(minutes=1) <= span <= DAY:
            yield document.invalid(where, f"{key} is out of range", "1m to 1d")
    if trigger.collect > LONGEST_COLLECT:
        yield document.invalid(("collect",), "collect is out of range", "0s to 10m")


def _unattended(trigger: Trigger, playbook: Playbook, document: Document) -> Iterator[Invalid]:
    """``propose`` asks people; a gate that opens by itself when nobody answers does not.

    ``reversible`` becomes ``propose`` over its cap.
    """
    if trigger.level not in ("propose", "reversible"):
        return
    used = {gate for _, _, gate in playbook.steps()}
    for name in sorted(used):
        if playbook.gates[name].on_timeout == "reversible_only":
            why = f"the gate {name!r} of {playbook.playbook} goes on when nobody answers"
            yield document.invalid(("playbook",), why, "gates that end in deny or escalate")


def _by_itself(trigger: Trigger, config: Config, document: Document) -> Iterator[Invalid]:
    """What must be so before a rule may go ahead without people."""
    alerts = config.written.alerts
    if trigger.level != "reversible" or alerts is None:
        return
    if not alerts.automatic:
        why = "level reversible goes ahead without people, and the configuration does not allow it"
        yield document.invalid(("level",), why, "alerts: automatic: true in killswitch.yaml")
    if not alerts.sources[trigger.source].confirmed:
        why = f"nobody vouches for what {trigger.source} says, and nobody would be asked"
        yield document.invalid(("level",), why, "a source with a connection, or auth: hmac")
    if trigger.collect < LEAST_COLLECT:
        why = "a rule that is wrong about many people at once would not be noticed"
        yield document.invalid(("collect",), why, "collect: 10s or more")
