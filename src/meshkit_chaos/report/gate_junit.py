"""A decision as JUnit XML: one suite a requirement, one case a scenario, and one case for the decision itself. Pure.

What blocks is a ``<failure>`` where evidence blocks and an ``<error>`` where evidence is missing; nothing is ever
``<skipped>``. What only reports, in shadow, has no case: it stands in the text of the decision's own.
"""

from __future__ import annotations

from typing import Final
from xml.etree import ElementTree as ET

from meshkit_chaos.gate.decision import EVIDENCE, Decision, Item
from meshkit_chaos.report.escape import one_line
from meshkit_chaos.report.gate_text import decision_text
from meshkit_chaos.report.gate_words import headline, name, story
from meshkit_chaos.report.junit import legal

_POLICY: Final = "policy"


def decision_junit(decision: Decision) -> bytes:
    """Write the document: UTF-8 with a final newline."""
    root = ET.Element("testsuites", name="meshkit-chaos gate")
    root.append(_whole(decision))
    blocking = [item for item in decision.items if item.mode == "blocking"]
    for requirement in dict.fromkeys(item.requirement for item in blocking):
        root.append(_suite(requirement, [item for item in blocking if item.requirement == requirement]))
    for count in ("tests", "failures", "errors"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in root)))
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _whole(decision: Decision) -> ET.Element:
    suite = ET.Element("testsuite", name="gate")
    case = ET.SubElement(suite, "testcase", classname="gate", name="decision", time="0.000")
    if not decision.open:
        kind = "failure" if any(item.blocks and item.code in EVIDENCE for item in decision.items) else "error"
        problem = ET.SubElement(case, kind, message=legal(headline(decision)), type="blocked")
        problem.text = legal(headline(decision))
    ET.SubElement(case, "system-out").text = legal(decision_text(decision))
    return _counted(suite)


def _suite(requirement: str, items: list[Item]) -> ET.Element:
    suite = ET.Element("testsuite", name=legal(f"gate {requirement or _POLICY}"))
    for item in items:
        case = ET.SubElement(
            suite, "testcase", classname=legal(f"gate.{requirement or _POLICY}"), name=legal(_name(item)), time="0.000"
        )
        details = "\n".join(f"{label}: {text}" for label, text in story(item))
        if item.blocks:
            kind = "failure" if item.code in EVIDENCE else "error"
            message = legal(one_line(f"{item.code}: {item.sentence}"))
            ET.SubElement(case, kind, message=message, type=item.code).text = legal(f"{message}\n{details}")
        else:
            ET.SubElement(case, "system-out").text = legal(f"{item.code}: {item.sentence}\n{details}")
    return _counted(suite)


def _name(item: Item) -> str:
    return name(item) if item.scenario else item.code


def _counted(suite: ET.Element) -> ET.Element:
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(sum(case.find("failure") is not None for case in suite)))
    suite.set("errors", str(sum(case.find("error") is not None for case in suite)))
    suite.set("time", "0.000")
    return suite
