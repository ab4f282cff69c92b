"""Documents to frozen values, or every problem with its file, line and column. Pure: reads no file, executes nothing."""

from meshkit_chaos.scenario.load import Loaded, load_environment, load_scenarios
from meshkit_chaos.scenario.render import github_annotations, render_problems
from meshkit_chaos.scenario.rules import RULES, Rule

__all__ = ["RULES", "Loaded", "Rule", "github_annotations", "load_environment", "load_scenarios", "render_problems"]
