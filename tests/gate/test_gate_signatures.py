"""Signatures of approvers, checked by OpenSSH itself with keys made for the test."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from gate_worlds import decided, history, overrides, result
from msgspec import structs
from test_gate_law import ACCEPT

from meshkit_chaos.gate.decide import decide
from meshkit_chaos.gate.decision import Decision
from meshkit_chaos.gate.evidence import gather
from meshkit_chaos.gate.overrides import NAMESPACE, Overrides, Proof
from meshkit_chaos.gate.signatures import check_signatures

pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen (OpenSSH) is not installed")
FAIR = overrides(ACCEPT % "{within: 9s}")


@pytest.fixture
def signers(tmp_path: Path) -> Path:
    """A key for bo, one for eve, and a file that allows bo's."""
    for name in ("bo", "eve"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", tmp_path / name], check=True)
    allowed = tmp_path / "allowed"
    allowed.write_text(f"bo {(tmp_path / 'bo.pub').read_text(encoding='utf-8')}", encoding="utf-8")
    return allowed


def signed(folder: Path, by: str, *, namespace: str = NAMESPACE, accept: str = "{within: 9s}") -> Overrides:
    """The fair override, signed; ``accept``: what it said when it was signed."""
    statement = overrides(ACCEPT % accept).entries[0].statement()
    done = subprocess.run(
        ["ssh-keygen", "-q", "-Y", "sign", "-f", folder / by, "-n", namespace], input=statement, capture_output=True, check=True
    )
    entry = structs.replace(FAIR.entries[0], proof=Proof(kind="signature", reference=done.stdout.decode("ascii")))
    return structs.replace(FAIR, entries=(entry,))


def decision(file: Overrides, allowed: Path) -> Decision:
    from gate_worlds import NOW, SUBJECT, policy  # noqa: PLC0415  # as values of one call

    evidence = gather(history(result("fail")), policy(), SUBJECT, now=NOW)
    checked = check_signatures(file.entries, allowed)
    return decide(policy(), evidence, subject=SUBJECT, now=NOW, overrides=file, checked=checked)


def test_a_signature_of_the_approver_is_proof(signers: Path) -> None:
    """An override that its approver signed is used, and the decision says that the signature was verified."""
    found = decision(signed(signers.parent, "bo"), signers)
    assert found.open
    assert "signature was verified" in found.overrides[0].identity


@pytest.mark.parametrize(
    ("by", "more"),
    [("eve", {}), ("bo", {"namespace": "git"}), ("bo", {"accept": "{within: 7s}"})],
    ids=["another key", "made for something else", "over another number"],
)
def test_any_other_signature_is_refused(signers: Path, by: str, more: dict[str, str]) -> None:
    """A signature by another key, for another use, or over other words closes the gate."""
    found = decision(signed(signers.parent, by, **more), signers)
    assert (found.exit_code, found.overrides[0].refusal) == (1, "bad-signature")


def test_rubbish_is_no_signature(signers: Path) -> None:
    """What is no signature at all, and an approver whose name could be an option, are refused."""
    for changes in ({"proof": Proof(kind="signature", reference="rubbish")}, {"approver": "-bo"}):
        entry = structs.replace(signed(signers.parent, "bo").entries[0], **changes)
        found = decision(structs.replace(FAIR, entries=(entry,)), signers)
        assert (found.exit_code, found.overrides[0].refusal) == (1, "bad-signature")


def test_without_proof_the_decision_says_so() -> None:
    """An override that nothing proves is used as the branch protection allows, and the decision says just that."""
    found = decided(history(result("fail")), file=FAIR)
    assert found.open
    assert found.overrides[0].identity == "approved by bo; identity rests on branch protection"
    entry = structs.replace(FAIR.entries[0], proof=Proof(kind="review", reference="https://forge.example/7"))
    told = decided(history(result("fail")), file=structs.replace(FAIR, entries=(entry,))).overrides[0].identity
    assert told.endswith("was not checked here; identity rests on branch protection")
