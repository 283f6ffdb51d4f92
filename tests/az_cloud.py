"""The real Azure CLI, logged in to an embedded Azure over TLS. Nothing here leaves loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme

ROOT = Path(__file__).resolve().parents[1]
AZ = os.environ.get("GENAIGW_AZ")
DEADLINE_SECONDS = 300
az_is_wanted = [
    pytest.mark.opt_in,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not AZ, reason="GENAIGW_AZ does not name an az to drive; `make test-az` installs one"),
]


@dataclass
class Cloud:
    """A running embedded Azure and an environment in which `az` is logged in to it."""

    ready: dict[str, Any]
    base_url: str
    environment: dict[str, str]
    folder: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `az` to its end, however it ends."""
        return subprocess.run(
            [str(AZ), *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
            check=False,
        )

    def az(self, *arguments: str) -> str:
        """The output of an `az` that must succeed."""
        ran = self.run(*arguments)
        assert ran.returncode == 0, f"az {' '.join(arguments)}: {ran.stderr[-2000:]}"
        return ran.stdout

    def az_json(self, *arguments: str) -> Any:
        """What an `az` that must succeed prints as JSON."""
        return json.loads(self.az(*arguments, "--output", "json"))


@contextmanager
def az_cloud(folder: Path, *options: str) -> Iterator[Cloud]:
    """Start an embedded Azure with these options of `python -m simulator` and log in to it."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    authority.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    command = [sys.executable, "-m", "simulator", *options]
    command += ["--tls-certificate", str(folder / "server.pem"), "--exit-with-stdin"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            ready = next(line for line in map(json.loads, process.stdout) if "base_url" in line)
            (folder / "bin").mkdir()
            (folder / "bin" / "az").symlink_to(Path(str(AZ)).resolve())
            environment = dict(
                os.environ,
                PATH=f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
                AZURE_CONFIG_DIR=str(folder / "config"),
                AZURE_CORE_COLLECT_TELEMETRY="false",
                REQUESTS_CA_BUNDLE=str(folder / "ca.pem"),
                IDENTITY_ENDPOINT=ready["identity_endpoint"],
                IDENTITY_HEADER=ready["identity_header"],
            )
            base_url = ready["base_url"].replace("127.0.0.1", "localhost")
            there = Cloud(ready, base_url, environment, folder / "here")
            there.folder.mkdir()
            there.az("cloud", "register", "--name", "Embedded", "--endpoint-resource-manager", base_url)
            there.az("cloud", "set", "--name", "Embedded")
            there.az("config", "set", "core.instance_discovery=false", "--only-show-errors")
            there.az("login", "--identity")
            yield there
        finally:
            process.terminate()
            process.wait(timeout=30)
