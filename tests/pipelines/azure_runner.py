"""Azure pipelines run step by step on this machine, by a small runner of our own: there is no local one to install.

What is real: the shipped files, their parameters, variables, conditions and order, and every script, in the shell and with
the environment that an agent gives it. What stands in: the tasks (checkout, UsePythonVersion, PublishTestResults, the
artifacts), each in a few lines that keep what matters of its contract. It refuses what it does not know: a step is never
skipped in silence.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

_PARAMETER = re.compile(r"\$\{\{ parameters\.(\w+) \}\}")
_WRAPPED = re.compile(r"\$\{\{ if (eq|ne)\(trim\(parameters\.(\w+)\), ''\) \}\}")
_WORD = re.compile(r"\$\{\{ if eq\(parameters\.(\w+), '(\w+)'\) \}\}")
_RESULT = re.compile(r"\$\[ dependencies\.(\w+)\.result \]")
_IF_VARIABLE = re.compile(r"and\(succeeded\(\), eq\(variables\['(\w+)'\], '(\w+)'\)\)")
_SECRETS = ("System.AccessToken", "GITHUB_TOKEN")
"""Secret variables reach no script by themselves."""
_VARIABLE = re.compile(r"\$\(([\w.]+)\)")


@dataclass
class Ran:
    """What came of a job: Succeeded or Failed, and the names of the steps that ran, and of those that failed."""

    result: str = "Succeeded"
    steps: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    said: str = ""


@dataclass
class Agent:
    """Runs the jobs of pipeline files in order. ``repository``: a git repository that holds them; each run has a folder."""

    repository: Path
    folder: Path
    variables: dict[str, str]
    environment: dict[str, str]
    runs: int = 0

    @property
    def run_folder(self) -> Path:
        return self.folder / str(self.runs)

    @property
    def artifacts(self) -> Path:
        """Those of the last run."""
        return self.run_folder / "artifacts"

    def run(self, name: str, parameters: dict[str, str] | None = None) -> dict[str, Ran]:
        """Run every job of a pipeline. Parameters that are not given have their defaults."""
        text = (self.repository / "azure-pipelines" / name).read_text(encoding="utf-8")
        pipeline = yaml.safe_load(text)
        values = self._values(pipeline, parameters or {})
        self.variables |= {key: self._variables(value) for key, value in pipeline.get("variables", {}).items()}
        self.runs += 1
        self.artifacts.mkdir(parents=True)
        jobs: dict[str, Ran] = {}
        for job in self._expanded(_filled(pipeline["jobs"], values), "jobs"):
            needs = [job["dependsOn"]] if isinstance(job.get("dependsOn"), str) else job.get("dependsOn", [])
            failed = any(need not in jobs or jobs[need].result == "Failed" for need in needs)
            if failed and job.get("condition", "succeeded()") == "succeeded()":
                continue
            name = job["job"] if "job" in job else job["deployment"]
            own = {
                key: _RESULT.sub(lambda found: jobs[found[1]].result, text) for key, text in job.get("variables", {}).items()
            }
            jobs[name] = self._job(name, job, own)
        return jobs

    def _values(self, document: dict[str, Any], given: dict[str, str]) -> dict[str, str]:
        declared = {item["name"]: item for item in document.get("parameters", [])}
        assert given.keys() <= declared.keys(), f"unknown parameters: {given.keys() - declared.keys()}"
        for name, value in given.items():
            assert value in declared[name].get("values", [value]), f"{name}: {value}"
        missing = [name for name, item in declared.items() if "default" not in item and name not in given]
        assert not missing, f"needed: {missing}"
        return {name: given.get(name, item.get("default")) for name, item in declared.items()}

    def _job(self, name: str, job: dict[str, Any], own: dict[str, str]) -> Ran:
        """``own``: the job's variables. A deployment has its steps in its life cycle.

        Approvals are none of the agent's matter: it runs what the server let through.
        """
        ran = Ran()
        work = self.run_folder / name / "s"
        work.mkdir(parents=True)
        temporary = self.run_folder / name / "tmp"
        temporary.mkdir()
        common = dict(self.variables)
        self.variables |= {"Pipeline.Workspace": str(work.parent), **own}
        environment = {
            **self.environment,
            **{key.upper().replace(".", "_"): value for key, value in self.variables.items() if key not in _SECRETS},
            "TMPDIR": str(temporary),
        }
        steps = job["strategy"]["runOnce"]["deploy"]["steps"] if "deployment" in job else job["steps"]
        for step in self._expanded(steps, "steps"):
            if not self._is_due(step.get("condition", "succeeded()"), ran):
                continue
            name = step.get("displayName") or step.get("task") or next(iter(step))
            ran.steps.append(name)
            if not self._step(step, work, environment, ran):
                ran.result = "Failed"
                ran.failed.append(name)
        self.variables = common
        return ran

    def _is_due(self, condition: str, ran: Ran) -> bool:
        asked = _IF_VARIABLE.fullmatch(condition)
        assert asked or condition in ("succeeded()", "always()"), condition
        if condition == "always()":
            return True
        return ran.result == "Succeeded" and (asked is None or self.variables.get(asked[1], "") == asked[2])

    def _expanded(self, items: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
        """Jobs or steps, with those of templates in their place."""
        found = []
        for item in items:
            if "template" not in item:
                found.append(item)
                continue
            template = yaml.safe_load((self.repository / "azure-pipelines" / item["template"]).read_text(encoding="utf-8"))
            found += self._expanded(_filled(template[kind], self._values(template, item.get("parameters", {}))), kind)
        return found

    def _variables(self, text: str) -> str:
        """Macros; one that is not defined stays as it is, as an agent leaves it."""
        return _VARIABLE.sub(lambda found: self.variables.get(found[1], found[0]), text)

    def _step(self, step: dict[str, Any], work: Path, environment: dict[str, str], ran: Ran) -> bool:
        match step:
            case {"checkout": "self"}:
                return _done(["git", "clone", "--quiet", "--no-local", str(self.repository), "."], work, environment, ran)
            case {"download": "none"}:
                return True
            case {"download": "current", "artifact": str(name)}:
                return _copied(self.artifacts / name, work.parent / name)
            case {"bash": str(script)}:
                file = work.parent / "script.sh"
                file.write_text(self._variables(script))
                extra = {key: self._variables(str(value)) for key, value in step.get("env", {}).items()}
                return _done(["bash", "--noprofile", "--norc", str(file)], work, {**environment, **extra}, ran)
            case {"publish": str(path), "artifact": str(name)}:
                return _copied(work / path, self.artifacts / name)
            case {"task": str(task), **rest}:
                inputs = {key: self._variables(str(value)) for key, value in rest.get("inputs", {}).items()}
                return self._task(task, inputs, work, environment)
        raise AssertionError(f"this runner does not know the step {step}")

    def _task(self, task: str, inputs: dict[str, str], work: Path, environment: dict[str, str]) -> bool:
        match task:
            case "UsePythonVersion@0":
                environment["PATH"] = f"{_new_python(work.parent / 'python')}{os.pathsep}{environment['PATH']}"
                return True
            case "PublishTestResults@2":
                return _published(work / inputs["testResultsFiles"], inputs)
            case "DownloadPipelineArtifact@2":
                pattern = inputs["itemPattern"].removesuffix("/**")
                return all(_copied(found, Path(inputs["targetPath"]) / found.name) for found in self.artifacts.glob(pattern))
        raise AssertionError(f"this runner does not know the task {task}")


def _filled(value: Any, parameters: dict[str, str]) -> Any:
    """A document with the values of ``${{ parameters.x }}``, and what stands below a ``${{ if … }}`` that holds."""
    if isinstance(value, dict):
        filled: dict[str, Any] = {}
        for key, item in value.items():
            if not key.startswith("${{"):
                filled[key] = _filled(item, parameters)
            elif _holds(key, parameters):
                filled |= _filled(item, parameters)
        return filled
    if isinstance(value, list):
        return [item for each in value for item in _items(each, parameters)]
    return _PARAMETER.sub(lambda found: parameters[found[1]], value) if isinstance(value, str) else value


def _items(value: Any, parameters: dict[str, str]) -> list[Any]:
    """What an item of a list becomes: itself, or none or all of the items below its ``${{ if … }}``."""
    wrapped = next(iter(value)) if isinstance(value, dict) else ""
    if not wrapped.startswith("${{"):
        return [_filled(value, parameters)]
    items: list[Any] = _filled(value[wrapped], parameters) if _holds(wrapped, parameters) else []
    return items


def _holds(expression: str, parameters: dict[str, str]) -> bool:
    if word := _WORD.fullmatch(expression):
        return parameters[word[1]] == word[2]
    asked = _WRAPPED.fullmatch(expression)
    assert asked, f"this runner does not know the expression {expression}"
    return (parameters[asked[2]].strip() == "") is (asked[1] == "eq")


def _done(command: list[str], work: Path, environment: dict[str, str], ran: Ran) -> bool:
    """Run it as an agent does; what it prints may hold commands to the agent, of which one can turn a failure green."""
    done = subprocess.run(
        command,
        cwd=work,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    ran.said += done.stdout
    assert "##vso[task.complete" not in done.stdout
    return done.returncode == 0


def _published(file: Path, inputs: dict[str, str]) -> bool:
    """The task's contract: no file is only a warning, and failures are only shown, unless it is told otherwise."""
    if not file.is_file():
        return inputs.get("failTaskOnMissingResultsFile", "false").lower() != "true"
    suite = ET.parse(file).getroot()
    bad = any(case.find(kind) is not None for case in suite.iter("testcase") for kind in ("failure", "error"))
    return not (bad and inputs.get("failTaskOnFailedTests", "false").lower() == "true")


def _copied(source: Path, target: Path) -> bool:
    if source.is_dir():
        shutil.copytree(source, target)
    elif source.is_file():
        target.mkdir(parents=True)
        shutil.copy2(source, target)
    return source.exists()


def _new_python(place: Path) -> Path:
    """A virtual environment that sees what the tests' own has, so that installing downloads nothing that is there."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True, timeout=60)
    site = next(place.glob("lib/python*/site-packages"))
    (site / "tests.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return place / "bin"
