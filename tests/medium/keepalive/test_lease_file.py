"""Whatever stands in a lease file or its keeper's mark: what was written, or a refusal."""

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gcs_ci_lock.errors import UsageError
from gcs_ci_lock.keepalive.lease_file import KeeperInfo, LeaseFile
from gcs_ci_lock.keepalive.lease_ref import LeaseRef
from tests.support.samples import LEASE_REF

pytestmark = pytest.mark.property

WHOLE = LEASE_REF.to_json().encode()


@st.composite
def torn(draw: st.DrawFn) -> bytes:
    """Return the file as a full disk, a broken one or a stranger may leave it."""
    since, until = sorted((draw(st.integers(0, len(WHOLE))), draw(st.integers(0, len(WHOLE)))))
    return WHOLE[:since] + draw(st.binary(max_size=8)) + WHOLE[until:]


CONTENTS = st.one_of(
    torn(), st.binary(max_size=60), st.sampled_from([WHOLE + b"\n", b"[" * 60_000, b" " * 70_000])
)
MARKS = st.one_of(
    st.binary(max_size=30),
    st.tuples(st.integers(-1, 2**70).map(str), st.text(max_size=20)).map(
        lambda words: " ".join(words).encode("utf-8", "replace")
    ),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("leases")


def put(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o600)


@given(CONTENTS)
@example(WHOLE.replace(b'"endpoint": "', b'"endpoint": "\x80'))
@settings(max_examples=300)
def test_any_lease_file_is_the_lease_that_it_says_or_refused(folder: Path, content: bytes) -> None:
    put(folder / "lease", content)
    file = LeaseFile(folder / "lease")

    try:
        lease_ref = file.read()
    except UsageError as refusal:
        assert str(refusal).isprintable()  # noqa: PT017 - what it is a test of may also return
        assert len(str(refusal)) < 1_000  # noqa: PT017
        assert not file.names_lease(LEASE_REF.lease)
        return

    assert lease_ref is not None
    assert LeaseRef.from_json(content.decode(), source="x") == lease_ref
    assert file.names_lease(lease_ref.lease)


@given(MARKS)
@settings(max_examples=300)
def test_any_mark_of_a_keeper_that_is_gone_says_nothing_but_a_line(
    folder: Path, content: bytes
) -> None:
    put(folder / "lease.keeper", content)

    mark = LeaseFile(folder / "lease").keeper_info()

    assert isinstance(mark, KeeperInfo)
    assert not mark.alive
    assert 0 <= mark.pid < 10**9
    assert mark.ended.isprintable()
