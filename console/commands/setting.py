"""What the global options chose: which profile, from which file, with which restrictions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from console.profile import Profile, ProfileFile
    from console.simulator_process import ReadyLine


@dataclass(frozen=True, slots=True)
class Setting:
    """The global options. Nothing is read before it is asked for."""

    profile_name: str | None = None
    profile_file: Path | None = None
    read_only: bool = False

    @property
    def path(self) -> Path:
        """The profile file."""
        from console.profile import profile_path

        return self.profile_file or profile_path()

    def profiles(self) -> ProfileFile:
        """All profiles.

        Raises:
            ProfileError: the file is malformed.
        """
        from console.profile import load_profiles

        return load_profiles(self.path)

    def has_profiles(self) -> bool:
        """Whether there is a profile to open, or one was named and must exist."""
        return bool(self.profile_name or self.profiles().profiles)

    def profile(self) -> Profile:
        """The chosen profile.

        Raises:
            ProfileError: there is none, or the file is malformed.
        """
        from console.errors import ProfileError

        file = self.profiles()
        if not file.profiles and not self.profile_name:
            raise ProfileError(
                "There is no profile yet",
                where=str(file.path),
                remedy="Look around with `genaigw-console demo`, or add one with `genaigw-console profiles add NAME`.",
            )
        return self.adjusted(file.select(self.profile_name))

    def adjusted(self, profile: Profile) -> Profile:
        """The profile with the global restrictions on it."""
        if not self.read_only or profile.is_read_only:
            return profile
        return replace(profile, is_read_only=True, is_read_only_by_option=True)


def demo_profile(ready: ReadyLine) -> Profile:
    """The profile of an embedded Azure, in memory only."""
    from console.profile import profile_from_table
    from console.simulator_process import profile_values

    return profile_from_table("demo", profile_values(ready), "the embedded Azure's own profile")
