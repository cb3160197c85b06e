"""What a secret looks like: one rule a kind, in RE2's dialect, over bytes.

The group of a pattern that took part is the secret; a pattern without groups is one as a whole.
Where rules overlap, the one that stands first gives the name.
"""

from __future__ import annotations

from dataclasses import dataclass

# A value after ``=`` or ``:``, quoted (with whatever escapes a quote has) or up to a space.
_QUOTED = r"""(?:\\*"([^"\r\n]{3,})"|\\*'([^'\r\n]{3,})')"""
_VALUE = rf"""(?:{_QUOTED}|([^\s"'\\]{{4,}}))"""
_IS = r"""\\*["']?\s*(?::=|=>|=|:)\s*"""
_NAMES = (
    r"(?:pass(?:word|wd|phrase|code)|pwd|secret|api[_-]?key|access[_-]?key|private[_-]?key|"
    r"signing[_-]?key|encryption[_-]?key|(?:auth|access|refresh|id|session|bearer|api)[_-]?token|"
    r"client[_-]?secret|credentials?|connection[_-]?string)"
)


@dataclass(frozen=True)
class Rule:
    """One kind of secret. ``name`` is shown in its place."""

    name: str
    pattern: str


RULES = (
    # what carries its own prefix
    Rule(
        "aws-access-key",
        r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b",
    ),
    Rule("aws-session-token", r"\b(?:FwoG|FQoG|IQoJ)[A-Za-z0-9/+=]{80,}"),
    Rule("aws-bedrock-key", r"\bABSK[A-Za-z0-9+/=]{60,}"),
    Rule("github-token", r"\bgh[oprsu]_[A-Za-z0-9_]{20,}"),
    Rule("github-fine-grained", r"\bgithub_pat_[A-Za-z0-9_]{20,}"),
    Rule(
        "gitlab-token",
        r"\bgl(?:pat|ptt|dt|rt|soat|ft|imt|agent|cbt)-[A-Za-z0-9_.=-]{18,}",
    ),
    Rule("slack-token", r"\b(?:xox[a-z](?:\.xox[a-z])?|xapp)-[A-Za-z0-9%-]{8,}"),
    Rule(
        "slack-webhook",
        r"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9/+_-]{16,}",
    ),
    Rule("anthropic-key", r"\bsk-ant-[A-Za-z0-9_-]{16,}"),
    Rule("openai-key", r"\bsk-[A-Za-z0-9_-]{20,}"),
    Rule("okta-token", r"\b(00[A-Za-z0-9_-]{40})(?:[^A-Za-z0-9_-]|$)"),
    Rule("jwt", r"\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){1,4}"),
    Rule(
        "private-key",
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(?s:.*?)"
        r"(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|$)",
    ),
    Rule("google-api-key", r"\bAIza[A-Za-z0-9_-]{35}"),
    Rule(
        "google-oauth",
        r"\b(?:ya29\.|GOCSPX-|1//0)[A-Za-z0-9_.-]{18,}",
    ),
    Rule("azure-secret", r"\b[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}"),
    Rule(
        "azure-shared-key",
        r"(?i)(?:AccountKey|SharedAccessKey|[?&]sig)=([A-Za-z0-9+/%]{20,}={0,2})",
    ),
    Rule(
        "stripe-key",
        r"\b(?:[prs]k_(?:live|test)|whsec)_[A-Za-z0-9+/=]{10,}",
    ),
    Rule("npm-token", r"\bnpm_[A-Za-z0-9]{30,}"),
    Rule("pypi-token", r"\bpypi-[A-Za-z0-9_-]{40,}"),
    Rule(
        "atlassian-token",
        r"\b(?:ATATT3|ATCTT3|ATBB)[A-Za-z0-9_=.-]{20,}",
    ),
    Rule("sendgrid-key", r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    Rule("twilio-key", r"\bSK[0-9a-f]{32}\b"),
    Rule("huggingface-token", r"\bhf_[A-Za-z0-9]{30,}"),
    Rule("vault-token", r"\bhv[sbr]\.[A-Za-z0-9_-]{20,}"),
    Rule("digitalocean-token", r"\bdo[opr]_v1_[0-9a-f]{64}\b"),
    # what stands where a secret stands
    Rule(
        "authorization",
        rf"(?i)\bauthorization{_IS}\\*[\"']?(?:[a-z][a-z0-9-]{{1,30}}[ \t]+)?([^\r\n\"']{{3,}})",
    ),
    Rule("bearer", r"(?i)\bbearer\s+([A-Za-z0-9._~+/=-]{12,})"),
    Rule("okta-ssws", r"(?i)\bSSWS\s+([A-Za-z0-9_-]{12,})"),
    Rule("cookie", rf"(?i)\bcookie{_IS}\\*[\"']?([^\r\n\"']{{3,}})"),
    Rule(
        "option",
        rf"(?i)--[a-z-]*(?:password|passwd|token|secret|api-?key|credentials?)[= ]\s*{_VALUE}",
    ),
    Rule(
        "header",
        r"(?i)\b(?:x-[a-z0-9-]*(?:key|token|secret)|(?:private|api|job|deploy)-(?:key|token))"
        rf"{_IS}{_VALUE}",
    ),
    Rule(
        "url-password",
        r"(?i)\b[a-z][a-z0-9+.-]{1,30}://[^\s:/@\"']{0,200}:([^\s@\"']{1,400})@",
    ),
    Rule(
        "aws-secret-key",
        rf"(?i)(?:aws|secret)[a-z0-9_ .-]{{0,40}}{_IS}\\*[\"']?([a-z0-9/+]{{40}})",
    ),
    Rule(
        "environment",
        r"\b[A-Z][A-Z0-9_]*(?:KEY|TOKEN|SECRET|PASS(?:WORD|WD|PHRASE)?|PWD|CREDENTIALS?|AUTH)"
        rf"(?:_[A-Z0-9]+)?{_IS}{_VALUE}",
    ),
    Rule(
        "assignment",
        rf"(?i){_NAMES}[a-z0-9_]{{0,20}}{_IS}{_QUOTED}",
    ),
    Rule(
        "curl-user",
        r"(?i)\bcurl\b[^\r\n]{0,400}?\s(?:-u|--user)[= ]?[\"']?"
        r"[^\s:\"']+:([^\s\"']+)",
    ),
    Rule(
        "npmrc",
        r"(?i):_(?:authToken|auth|password)\s*=\s*[\"']?([^\s\"']{4,})",
    ),
    Rule("netrc", r"(?i)\bmachine\s+\S+\s+login\s+\S+\s+password\s+(\S+)"),
)

# A field of decoded JSON whose name, without case and punctuation, ends like this holds a secret.
SENSITIVE_ENDINGS = (
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "secretkey",
    "secretaccesskey",
    "privatekey",
    "signingkey",
    "encryptionkey",
    "authorization",
    "cookie",
    "credential",
    "credentials",
    "connectionstring",
    "assertion",
)
