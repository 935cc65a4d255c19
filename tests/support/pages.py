"""What a page of the docs has to be typed, and somebody who types it."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.aws import REGION, EmbeddedAws
from local.emulator import ROOT

SECTION = re.compile(r"^## (.+)\n((?:(?!## ).*\n)*)", re.MULTILINE)
AWS_CLI = ROOT / ".venv-aws" / "bin"


def commands(text: str) -> list[str]:
    """The lines of a page's console blocks that have a prompt, each with those that continue it."""
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    return [
        re.sub(r"\\\n\s*", "", command)
        for block in blocks
        for command in re.findall(r"^\$ ((?:.*\\\n)*.*)$", block, re.MULTILINE)
    ]


def sections(text: str) -> dict[str, str]:
    """The text below each heading of the second level, by its title."""
    return dict(SECTION.findall(text))


@dataclass(frozen=True, slots=True)
class Person:
    """Types commands in the project's folder, with an AWS configuration and a home of their own."""

    aws: EmbeddedAws
    home: Path

    def has_profiles(self, profiles: Mapping[str, str]) -> None:
        """Each with the credentials of an account."""
        config = self.home / ".aws" / "config"
        config.parent.mkdir(exist_ok=True)
        config.write_text(
            "".join(
                f"[profile {name}]\nregion = {REGION}\naws_access_key_id = {account}\naws_secret_access_key = test\n"
                for name, account in profiles.items()
            )
        )

    def types(self, command: str, *before: str) -> tuple[int, str]:
        """A command's exit status and what it said, in a shell in which others were typed before.

        To whatever it asks the answer is yes.
        """
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MAKE"))}
        environment = kept | {
            "HOME": str(self.home),
            # Else the CDK's library is unpacked once more, which takes longer than all else.
            "JSII_RUNTIME_PACKAGE_CACHE_ROOT": str(Path.home() / ".cache" / "aws" / "jsii" / "package-cache"),
            "PATH": f"{AWS_CLI}{os.pathsep}{os.environ['PATH']}",
            "AWS_ENDPOINT_URL": self.aws.endpoint,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        done = subprocess.run(
            ["bash", "-c", "\n".join(["set -o pipefail", *before, command])],
            cwd=ROOT,
            env=environment,
            input="y\n" * 9,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        print(f"$ {command}\n{done.stdout}")  # pytest shows it where a test fails
        return done.returncode, done.stdout
