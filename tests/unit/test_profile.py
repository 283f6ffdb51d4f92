"""Profiles: what is wrong in the file is named by its path, and secrets stay secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.domain.gateway import BackendKind
from console.errors import ProfileError
from console.profile import load_profiles, parse_profiles, profile_path, set_default, write_profile

FILE = Path("profiles.toml")
GOOD = """
default = "prod"

[profiles.prod]
subscription_id = "0a1b2c3d-0000-4000-8000-00000000c0de"
resource_group = "rg"
service_name = "apim"
production = true

[profiles.prod.resolve]
"*.openai.azure.com" = "https://10.0.0.4"

[profiles.prod.backends.payg-legacy]
kind = "ptu"
"""


def test_a_profile_says_everything_that_leads_to_a_gateway() -> None:
    profile = parse_profiles(GOOD, FILE).select(None)
    assert profile.service_id.endswith("/resourceGroups/rg/providers/Microsoft.ApiManagement/service/apim")
    assert profile.is_production
    assert not profile.is_read_only
    assert profile.backend_kinds == {"payg-legacy": BackendKind.PTU}
    assert profile.cloud.arm_host == "management.azure.com"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("resource_group", "resource_gruop"), r'"profiles.prod.resource_gruop".*Did you mean "resource_group"'),
        (("default =", "defualt ="), r'"defualt".*Did you mean "default"'),
        (('kind = "ptu"', 'kind = "reserved"'), r'profiles.prod.backends.*must be one of ptu, payg, not "reserved"'),
        (('kind = "ptu"', 'knid = "ptu"'), r'"profiles.prod.backends.payg-legacy.knid".*Did you mean "kind"'),
        (('service_name = "apim"\n', ""), r'profiles.prod lacks "service_name"'),
        (("production = true", 'production = "yes"'), r"profiles.prod.production must be true or false"),
        (('service_name = "apim"', "service_name = 7"), r"profiles.prod.service_name must be text in quotes"),
        (('default = "prod"', 'default = "prd"'), r'default profile "prd" does not exist.*Did you mean "prod"'),
        (("0a1b2c3d-", "x"), r"subscription_id.*no GUID"),
        (("https://10.0.0.4", "http://10.0.0.4"), r"plain http to 10.0.0.4.*Use https"),
        (("https://10.0.0.4", "10.0.0.4"), r"no http\(s\) URL"),
        (("[profiles.prod]", "[profiles.prod"), r"not valid TOML.*line 4"),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_what_to_do(change: tuple[str, str], said: str) -> None:
    with pytest.raises(ProfileError, match=said) as told:
        parse_profiles(GOOD.replace(*change), FILE)
    assert told.value.exit_code == 2
    assert "profiles.toml" in told.value.line
    assert told.value.remedy


def test_a_profile_that_does_not_exist_suggests_the_closest() -> None:
    with pytest.raises(ProfileError, match=r'no profile "prodd".*Did you mean "prod"'):
        parse_profiles(GOOD, FILE).select("prodd")


def test_a_file_that_does_not_exist_holds_no_profile(tmp_path: Path) -> None:
    assert load_profiles(tmp_path / "none.toml").profiles == {}


def test_a_folder_instead_of_a_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="cannot be read"):
        load_profiles(tmp_path)


def test_where_the_file_is_follows_the_environment() -> None:
    assert profile_path({"GENAIGW_CONFIG": "/a/b.toml"}) == Path("/a/b.toml")
    assert profile_path({"XDG_CONFIG_HOME": "/c"}) == Path("/c/genaigw-console/profiles.toml")


def test_editing_keeps_comments_and_the_file_private(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "profiles.toml"
    path.parent.mkdir()
    path.write_text("# mine, do not touch\n" + GOOD, encoding="utf-8")
    values = {"subscription_id": "0a1b2c3d-0000-4000-8000-00000000c0de", "resource_group": "rg2", "service_name": "two"}
    write_profile(path, "second", values, make_default=False)
    set_default(path, "second")
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# mine, do not touch")
    file = load_profiles(path)
    assert file.default_name == "second"
    assert set(file.profiles) == {"prod", "second"}
    assert path.stat().st_mode & 0o077 == 0


def test_a_profile_that_would_be_refused_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "profiles.toml"
    with pytest.raises(ProfileError):
        write_profile(path, "bad", {"subscription_id": "x"}, make_default=True)
    assert not path.exists()


def test_the_identity_header_is_not_in_the_profiles_text() -> None:
    text = GOOD.replace("production = true", 'identity_header = "s3cret"')
    assert "s3cret" not in repr(parse_profiles(text, FILE).select(None))
