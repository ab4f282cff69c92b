"""Read documents from disk, bounded, and turn what is wrong with them into one error."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from meshkit_chaos.errors import DocumentError, Problem, UsageError

if TYPE_CHECKING:
    from meshkit_chaos.scenario.environment import EnvironmentDescription
    from meshkit_chaos.scenario.model import ScenarioFile

SCENARIOS: Final = "chaos-scenarios.yaml"
POLICY: Final = "chaos-gate.yaml"
OVERRIDES: Final = "chaos-overrides.yaml"
ROUTES: Final = "chaos-notify.yaml"
_MOST_BYTES: Final = 2 * 1024 * 1024 + 1  # one more than the loader admits, so that it can say "too large" with the place


def read_document(path: Path) -> bytes:
    """Raises UsageError where there is no such file."""
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES)
    except OSError as error:
        hint = "name one with --file; `meshkit-chaos init` writes a first one" if path.name == SCENARIOS else "check the path"
        raise UsageError(f"{path} cannot be read: {error.strerror}", hint=hint) from error


def load_both(file: Path, environment: Path | None) -> tuple[ScenarioFile, EnvironmentDescription, tuple[Problem, ...]]:
    """Load a scenario file and its environment (its own, or the one given). Raises DocumentError with every problem of both."""
    from meshkit_chaos.scenario.load import load_environment, load_scenarios  # noqa: PLC0415  # start-up time

    data = read_document(file)
    place = environment or named_environment(file, data)
    if place is None:
        raise UsageError(f"{file} names no environment", hint="add `environment: FILE` to it, or give --env FILE")
    described = load_environment(read_document(place), path=str(place))
    loaded = load_scenarios(data, path=str(file), environment=described.value)
    problems = (*described.problems, *loaded.problems)
    if described.value is None or loaded.value is None:
        raise refused(problems, {str(place): read_document(place), str(file): data})
    return loaded.value, described.value, problems


def load_alone(file: Path) -> ScenarioFile:
    """Load a scenario file without any environment. Raises DocumentError with every problem."""
    return load_scenarios_for(file, None)


def load_environment_alone(file: Path) -> EnvironmentDescription:
    """Load an environment file. Raises DocumentError with every problem."""
    from meshkit_chaos.scenario.load import load_environment  # noqa: PLC0415  # start-up time

    data = read_document(file)
    loaded = load_environment(data, path=str(file))
    if loaded.value is None:
        raise refused(loaded.problems, {str(file): data})
    return loaded.value


def load_scenarios_for(file: Path, described: EnvironmentDescription | None) -> ScenarioFile:
    """Load a scenario file for a known environment. Raises DocumentError with every problem."""
    from meshkit_chaos.scenario.load import load_scenarios  # noqa: PLC0415  # start-up time

    data = read_document(file)
    loaded = load_scenarios(data, path=str(file), environment=described)
    if loaded.value is None:
        raise refused(loaded.problems, {str(file): data})
    return loaded.value


def named_environment(file: Path, data: bytes) -> Path | None:
    """The environment that a scenario document names, relative to that document; None where it names none."""
    from meshkit_chaos.scenario.load import load_scenarios  # noqa: PLC0415  # start-up time

    loaded = load_scenarios(data, path=str(file))
    if loaded.value is None:
        raise refused(loaded.problems, {str(file): data})
    return file.parent / loaded.value.environment if loaded.value.environment else None


def refused(problems: tuple[Problem, ...], sources: dict[str, bytes]) -> DocumentError:
    """The error that shows every problem with its line."""
    from meshkit_chaos.scenario.render import render_problems  # noqa: PLC0415  # start-up time

    error = DocumentError(problems)
    error.message = render_problems(problems, sources).rstrip("\n")
    return error
