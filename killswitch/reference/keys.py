"""The two files that people write, key by key: playbooks and killswitch.yaml."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from killswitch import catalogue
from killswitch.model.playbook import Playbook
from killswitch.model.vendor import Settings
from killswitch.playbooks.lookups import NAMES
from killswitch.reference import fields
from killswitch.reference.markdown import code, codes, docstring, table
from killswitch.written import Written

# What the names alone do not say. A key without words here or beside it in the code is an error.
PLAYBOOK = {
    "Playbook.playbook": "its name, which is the file's too",
    "Playbook.version": "raise it with every change that people should notice",
    "Playbook.summary": "one sentence",
    "Playbook.subject": "what kind of subject it is for",
    "Playbook.limits": "a plan that is wider is refused",
    "Playbook.gates": "who must approve, by the gate's name",
    "Playbook.evidence": "collected before the first change",
    "Playbook.layers": "what is changed, in this order",
    "Playbook.watch": "verified again for a while",
    "Playbook.comms": "drafts of messages that the report brings",
    "Limits.people": "accounts of so many people",
    "Limits.repositories": "so many repositories",
    "Limits.credentials": "so many keys, tokens and grants",
    "Gate.approvers": "a role of killswitch.yaml",
    "Gate.quorum": "so many different people; 2 or more where something cannot be undone",
    "Gate.timeout": "how long it is open",
    "Gate.on_timeout": "`reversible_only` goes on with what can be undone",
    "Gate.assurance": "how sure we must be who it was, weakest first",
    "Escalate.escalate": "the role that is asked next",
    "Evidence.window": "how far back is asked",
    "Evidence.deadline": "how long the first change waits for what is volatile",
    "Evidence.collect": "collectors, by name or with options",
    "Collect.use": "a [collector](collectors.md)",
    "Collect.with": "its options",
    "LayerPlan.gate": "what its steps wait for",
    "LayerPlan.deadline": "then the next layer starts",
    "LayerPlan.keep_trying": "what is left is tried for so long",
    "LayerPlan.steps": "actions, in the order in which they run at one connection",
    "Step.use": "an [action](actions.md) of this layer",
    "Step.with": "its options",
    "Step.gate": "another gate than the layer's",
    "Step.required": "whether the case can be contained without it",
    "Watch.for": "for how long",
    "Watch.every": "how often",
}
CONFIG = {
    "Written.mode": "`live` reaches the real vendors; `drill` reaches 127.0.0.1 only",
    "Written.state": "database, vault, reports; readable by us alone",
    "Written.company": "the company",
    "Written.roles": "who is in which role; `secops` may start, abort, restore and attest",
    "Written.people": "how people are known on this machine",
    "Written.protected": "who is never killed without changing this file",
    "Written.policy": "guards that a playbook may tighten, never widen",
    "Written.connections": "one entry a vendor tenant, by a name of your own",
    "Written.witness": "where signed heads of the journal are kept",
    "Written.signing_key": "the Ed25519 key for seals and heads; `state/signing-key.pem`",
    "Written.tsa": "the URL of a time-stamping authority (RFC 3161)",
    "Written.playbooks": "a directory of your own, instead of those that ship",
    "Written.drill": "only with `mode: drill`",
    "Company.domains": "its mail domains",
    "People.os_logins": "login on this machine to person",
    "ProtectedList.people": "by address",
    "ProtectedList.groups": "by group of an identity provider",
    "Guards.kills_per_hour": "more is a storm, and refused",
    "Guards.irreversible_single_approver": "whether one person may approve what cannot be undone",
    "Guards.min_admins": "enabled administrators that every connection keeps",
    "Witness.file": "appended to, never read by a kill",
    "Drill.world": "the simulated world",
    "Drill.clock": "how far the drill's clock is ahead; the tabletop keeps it",
    "Drill.watch_for": "instead of the playbook's",
    "Drill.watch_every": "instead of the playbook's",
    "Written.slack": "the bot; without it there is none",
    "Slack.mode": "`socket`: the bot calls Slack; `http`: Slack calls the bot",
    "Slack.api_base_url": "Slack's address, or a simulator's",
    "Slack.app_id": "the app that requests must come from",
    "Slack.team_id": "the workspace that requests must come from",
    "Slack.enterprise_id": "the Enterprise Grid, where there is one",
    "Slack.bot_token": "`xoxb-…`",
    "Slack.app_token": "`xapp-…`, needed in mode `socket`",
    "Slack.signing_secret": "needed in mode `http`",
    "Slack.people": "Slack's user id to person",
    "Slack.channel_prefix": "what the name of a case's channel begins with",
    "Slack.index_channel": "a channel that every case is announced in, by its id",
    "Written.alerts": "alerts in; without it none are taken",
    "Alerts.requester": "must stand under `roles: secops:` by its address",
    "Alerts.triggers": "a directory of your own rules, instead of those that ship",
    "Alerts.people_per_hour": "about so many people may all alerts together open cases",
    "Alerts.automatic": "whether a rule of level `reversible` may go ahead without people",
    "Alerts.keep": "then the text of a decided alert without a case is deleted; its digest stays",
    "Alerts.sources": "who may send, by the name that stands in the address",
    "Source.auth": "a signature, a secret in a header, or one in the address; `none`: only asked",
    "Source.header": "with `auth: header`, the one that carries the secret",
    "Source.secrets": "one, or two while you change it; 32 characters or more",
    "Source.connection": "where its alerts are read again and asked for; without: not confirmed",
    "Source.poll": "how often it is asked what is new",
    "Source.link_hosts": "a link to any other host is not shown",
    "Source.people_per_hour": "about so many people may this source open cases",
    "Connection.vendor": "which vendor; its own keys stand below",
}


def playbook() -> str:
    """docs/reference/playbook.md."""
    return "\n".join(
        [
            "# Playbooks\n\nStrict YAML: unknown keys, duplicate keys, aliases and tags are "
            "errors, with file and line. Names are small letters, digits and `-`. No "
            "expressions: in `with:` a value may be one of the "
            f"look-ups {codes(f'${{{{ {name} }}}}' for name in NAMES)}. `agent-kill playbook "
            "lint` checks a file; [schema.json](../../playbooks/schema.json) helps editors.\n",
            *_models(Playbook, PLAYBOOK),
        ]
    )


def config() -> str:
    """docs/reference/config.md."""
    return "\n".join(
        [
            "# killswitch.yaml\n\nRead as strictly as a playbook. Secrets are references, never "
            "values: `{env: NAME}`, or `{file: path}` with mode 0600; in a drill also "
            "`{plain: text}`. Paths start at the file's own directory. `agent-kill init` writes "
            "a commented example, `agent-kill doctor` checks it.\n",
            *_models(Written, CONFIG),
            *_connections(),
        ]
    )


def _models(top: type[BaseModel], words: Mapping[str, str]) -> Iterator[str]:
    """The model and every model inside it, each once, in the order in which they are met."""
    left, seen = [top], {top}
    while left:
        model = left.pop(0)
        title = "The file" if model is top else model.__name__
        yield f"## {title}\n\n{docstring(model)}\n"
        rows = []
        for field in fields.of(model):
            note = words.get(f"{model.__name__}.{field.key}") or field.note
            if not note:
                raise LookupError(f"no words for {model.__name__}.{field.key}")
            rows.append((code(field.key), field.kind, field.default or "required", note))
            left += [inner for inner in field.models if inner not in seen]
            seen.update(field.models)
        yield table(("key", "what", "default", ""), rows)


def _connections() -> Iterator[str]:
    shared = {field.key for field in fields.of(Settings)}
    yield "## Keys of every connection\n"
    yield _settings(Settings, Settings, keys=shared)
    for name in catalogue.VENDORS:
        vendor = catalogue.vendor(name)
        own = {field.key for field in fields.of(vendor.settings)} - shared
        about = f"[Set-up](../vendors/{name}.md)\n\n{docstring(vendor.settings)}\n"
        yield f"## Keys of `vendor: {name}`\n\n{about}"
        yield _settings(vendor.settings, vendor.settings, keys=own | _changed(vendor.settings))


def _changed(kind: type[Settings]) -> set[str]:
    """The shared keys that have another default at this vendor."""
    usual = {field.key: field.default for field in fields.of(Settings)}
    found = {f.key for f in fields.of(kind) if f.key in usual and f.default != usual[f.key]}
    return found | ({"url"} if kind.default_url else set())


def _settings(kind: type[Any], of: type[Settings], *, keys: set[str]) -> str:
    rows = []
    for field in fields.of(kind):
        if field.key in keys:
            default = f"`{of.default_url}`" if field.key == "url" and of.default_url else ""
            rows.append(
                (
                    code(field.key),
                    _plainly(field.kind),
                    default or field.default or "required",
                    field.note,
                )
            )
    return table(("key", "what", "default", ""), rows)


def _plainly(kind: str) -> str:
    """A model inside a vendor's settings has no section of its own."""
    return kind.replace("[AppKey](#appkey)", "`{app_id, private_key}`")
