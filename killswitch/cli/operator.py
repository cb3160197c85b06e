"""Who is at the keyboard, and how sure we are of it."""

from __future__ import annotations

import os
import pwd

from killswitch.api import Person
from killswitch.config import Config
from killswitch.model.errors import NotAllowed
from killswitch.model.plan import Mode
from killswitch.model.playbook import Assurance


def at_the_keyboard(config: Config, persona: str = "") -> Person:
    """The person behind the operating system's user id, by ``people.os_logins``.

    The kernel's user id is asked, never $USER. ``persona``: in a drill, somebody else may be
    played. Raises NotAllowed for a login that the configuration does not map to a person.
    """
    if persona:
        if config.mode is not Mode.DRILL:
            raise NotAllowed("--as plays a part, and only a drill has parts")
        return Person(persona.lower(), Assurance.OS_LOGIN, "cli")
    login = pwd.getpwuid(os.getuid()).pw_name
    email = config.written.people.os_logins.get(login)
    if email is None:
        raise NotAllowed(
            f"the login {login!r} is nobody that killswitch knows",
            hint="add it under people.os_logins in killswitch.yaml",
        )
    return Person(email, Assurance.OS_LOGIN, "cli")
