"""slurm/profiles.toml: the facts of a cluster."""

from pydantic import Field, model_validator

from dpchannel.settings.base import Strict


class JobSettings(Strict):
    """What differs from the #SBATCH lines of one template; what is not said stays as there."""

    partition: str | None = None
    ranks: int | None = Field(default=None, ge=1)
    threads: int | None = Field(default=None, ge=1)
    gpus: int | None = Field(default=None, ge=0)
    memory_GB: float | None = Field(default=None, gt=0)
    time_h: float | None = Field(default=None, gt=0)
    warn_s: int | None = Field(default=None, ge=1)
    chunk: int = Field(default=1, ge=1)
    options: tuple[str, ...] = ()


class SiteSettings(Strict):
    """One cluster, or one way of using it; what is not said is as in the site `generic`."""

    account: str = ""
    partition: str = ""
    modules: tuple[str, ...] = ()
    setup: tuple[str, ...] = ()
    container: str = ""
    binaries: dict[str, str] = Field(default_factory=dict)
    array_limit: int = Field(default=1000, ge=1)
    running_limit: int = Field(default=0, ge=0)
    restarts: int = Field(default=20, ge=0)
    patience_s: float = Field(default=60.0, ge=0)
    jobs: dict[str, JobSettings] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _programs_are_started_in_one_place(self) -> "SiteSettings":
        if self.container and self.binaries:
            raise ValueError(
                "container and binaries: what binaries start is outside of the container. Leave "
                "binaries empty, and name programs of the container in inputs/*.toml"
            )
        return self

    @model_validator(mode="after")
    def _a_program_does_not_start_itself(self) -> "SiteSettings":
        for name, command in self.binaries.items():
            if name in command.split():
                raise ValueError(
                    f"binaries.{name} = {command!r}: {name} would start itself; give its full path"
                )
        return self

    def job(self, template: str) -> JobSettings:
        """What this site says about a template."""
        return self.jobs.get(template, JobSettings())


class SlurmSettings(Strict):
    """Every site by name, and the one that is meant when none is named."""

    site: str
    sites: dict[str, SiteSettings] = Field(min_length=1)

    @model_validator(mode="after")
    def _the_default_is_there(self) -> "SlurmSettings":
        if self.site not in self.sites:
            raise ValueError(f"site = {self.site!r}: there is no [sites.{self.site}]")
        return self
