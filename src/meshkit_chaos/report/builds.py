"""Builds and verifications of binaries as documents: text for people, JUnit for CI.

Takes what was found out; gives text. A binary that is not all right is a ``<failure>``; a report without any binary is an
``<error>``, because nothing was shown then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from xml.etree import ElementTree as ET

from meshkit_chaos.journal.binaries import BinaryFacts
from meshkit_chaos.native.compare import Difference
from meshkit_chaos.native.results import BuildReport, BuiltBinary
from meshkit_chaos.report.escape import one_line
from meshkit_chaos.report.junit import legal

_KB, _MB = 1000, 1_000_000


def size_text(size: int) -> str:
    """Bytes for people."""
    if size >= _MB:
        return f"{size / _MB:.1f} MB"
    return f"{size / _KB:.1f} kB" if size >= _KB else f"{size} bytes"


def binary_words(facts: BinaryFacts) -> str:
    """A verified binary in a few words, for a line among others."""
    parts = [facts.binary_class, facts.toolchain, *facts.platforms, size_text(facts.size)]
    parts += [f"build id {facts.build_id}"] if facts.build_id else []
    parts += [f"SBOM {facts.sbom}"] if facts.sbom else []
    return ", ".join(filter(None, parts))


def facts_text(facts: BinaryFacts, against: tuple[str, ...]) -> str:
    """One file: the answer first, then what speaks for it or against it."""
    answer = "REFUSED" if against else "accepted"
    made = f" by {facts.toolchain}" if facts.toolchain else ""
    where = f", {', '.join(facts.platforms)}" if facts.platforms else ""
    lines = [f"{facts.path}: {answer}: {facts.binary_class}{made}{where}, {size_text(facts.size)}"]
    lines += [f"  against it: {reason}" for reason in against]
    lines += [f"  evidence: {reason}" for reason in facts.evidence]
    lines += [f"  needs: {', '.join(facts.linked)}"] if facts.linked else []
    known = [("build id", facts.build_id), ("SHA-256", facts.digest), ("SHA-256 of its SBOM", facts.sbom)]
    lines += [f"  {what}: {value}" for what, value in known if value]
    return "\n".join(map(one_line_kept, lines))


def one_line_kept(line: str) -> str:
    """Without control characters, and with its indentation."""
    return line[: len(line) - len(line.lstrip())] + one_line(line)


def build_text(report: BuildReport) -> str:
    """All binaries, and one sentence at the end."""
    blocks = [_built(one) for one in report.binaries]
    good = sum(one.ok for one in report.binaries)
    binaries = f"{len(report.binaries)} {'binary is' if len(report.binaries) == 1 else 'binaries are'}"
    last = f"{good} of {binaries} what environment {report.environment} demands"
    return "\n".join((*blocks, last))


def _built(one: BuiltBinary) -> str:
    how = f"built in {one.seconds:.1f} s" if one.command else "nothing to build"
    same = ", and left as it was" if one.unchanged else ""
    head = f"{one.name}: {'ok' if one.ok else 'FAILED'}: {how}{same}"
    lines = [head, *(f"  {problem}" for problem in one.problems)]
    if one.facts is not None:
        lines.append(f"  {binary_words(one.facts)}, SHA-256 {one.facts.digest}")
    if one.log:
        lines.append(f"  log: {one.log}")
    return "\n".join(map(one_line_kept, lines))


def build_junit(report: BuildReport) -> bytes:
    """One suite, one case a binary."""
    cases = list(_cases(report))
    root = ET.Element("testsuites", name="meshkit-chaos native build")
    suite = ET.SubElement(root, "testsuite", name=legal(one_line(f"native build of {report.environment}")), skipped="0")
    suite.extend(cases)
    counts = {
        "tests": len(cases),
        "failures": sum(case.find("failure") is not None for case in cases),
        "errors": sum(case.find("error") is not None for case in cases),
    }
    for element in (suite, root):
        for name, count in counts.items():
            element.set(name, str(count))
        element.set("time", f"{sum(one.seconds for one in report.binaries):.3f}")
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _cases(report: BuildReport) -> Iterator[ET.Element]:
    for one in report.binaries:
        case = ET.Element("testcase", classname="native build", name=legal(one_line(one.name)), time=f"{one.seconds:.3f}")
        if not one.ok:
            told = legal("\n".join(map(one_line, one.problems or ("it is not all right, and nothing says why",))))
            failure = ET.SubElement(case, "failure", message=told.partition("\n")[0], type="native build failed")
            failure.text = told
        elif one.facts is not None:
            ET.SubElement(case, "system-out").text = legal("\n".join(map(one_line, one.facts.evidence)))
        yield case
    if not report.binaries:
        case = ET.Element("testcase", classname="native build", name="binaries", time="0.000")
        ET.SubElement(case, "error", message="no binary was built or verified", type="nothing was built")
        yield case


def comparison_text(differences: Iterable[Difference]) -> str:
    """What changed, by binary."""
    lines = []
    for one in differences:
        lines.append(f"{one.name}: {'the same' if not one.changes else 'WORSE' if one.worse else 'changed'}")
        lines += [f"  {change}" for change in one.changes]
    return "\n".join(map(one_line_kept, lines))
