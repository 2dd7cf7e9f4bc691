"""Hypothesis strategies for what may stand in a bucket."""

from hypothesis import strategies as st

from gcs_ci_lock.protocol.record import (
    OUTCOMES,
    OWNER_FIELDS,
    Freeze,
    Holder,
    LossReason,
    Owner,
    PastLease,
    Record,
)
from gcs_ci_lock.protocol.slots import UNLIMITED, Slots

# What a stranger may have put into a text: anything that JSON can carry, lone surrogates included.
TEXTS = st.text(st.characters(codec=None, categories=None), max_size=30)
TIMES = st.floats(min_value=0, max_value=1e10)
LEASES = st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=26, max_size=26)
SLOTS: st.SearchStrategy[Slots] = st.one_of(st.integers(1, 50), st.just(UNLIMITED))

# Pieces of what log readers act upon, in any order, and texts far beyond any limit.
HOSTILE = st.one_of(
    TEXTS,
    st.lists(
        st.sampled_from(
            [
                "::",
                "::error::",
                "::endgroup::",
                "##[",
                "##[set-output name=x]",
                "section_start:1:x",
                "section_end:1:x",
                "[collapsed=true]",
                "\r",
                "\n",
                "\x1b[0K",
                "\x1b[31m",
                "\x1b]8;;https://evil.example\x1b\\",
                "\u202e",
                "\u2066",
                "\x9b2J",
                "[red]",
                "[/]",
                ":bomb:",
                "%0A",
                "word ",
            ]
        ),
        max_size=12,
    ).map("".join),
    st.sampled_from("x:\x1b\u202e").map(lambda letter: letter * 10_000),
)


# Every piece of the syntax of GitHub's runner, in any order, among any characters.
RUNNER_TEXTS = st.one_of(
    st.text(max_size=60),
    st.lists(
        st.sampled_from(
            [
                "::",
                "##[",
                "]",
                "error",
                " title=x",
                "%0A",
                "%25",
                "\r",
                "\n",
                "=",
                "<<",
                "word",
                "\x1b",
            ]
        ),
        max_size=12,
    ).map("".join),
)


def owners(texts: st.SearchStrategy[str]) -> st.SearchStrategy[Owner]:
    """Return owners each of whose fields is one of the texts."""
    return st.builds(Owner, **dict.fromkeys(OWNER_FIELDS, texts))


OWNERS = owners(TEXTS)


@st.composite
def records(draw: st.DrawFn, name: str = "prod") -> Record:
    """Return a record that is valid."""
    leases = draw(st.lists(LEASES, max_size=3, unique=True))
    fence = draw(st.integers(len(leases), 2**53))
    holders = tuple(
        Holder(
            lease=lease,
            owner=draw(OWNERS),
            slots=draw(SLOTS),
            token=fence - number,
            asked_at=draw(TIMES),
            granted_at=draw(TIMES),
            expires_at=draw(TIMES),
            ttl=draw(st.floats(min_value=30, max_value=86_400)),
            revision=draw(st.integers(0, 10**6)),
        )
        for number, lease in enumerate(leases)
    )
    ended = st.builds(
        PastLease,
        lease=LEASES,
        owner=OWNERS,
        token=st.integers(0, fence),
        asked_at=TIMES,
        granted_at=TIMES,
        ended_at=TIMES,
        outcome=st.sampled_from(OUTCOMES),
        note=TEXTS,
        loss=st.one_of(st.none(), st.sampled_from(LossReason)),
    )
    frozen = st.builds(
        Freeze, reason=TEXTS, author=TEXTS, since=TIMES, until=st.one_of(st.none(), TIMES)
    )
    return Record(
        name=name,
        fence=fence,
        freed_at=draw(TIMES),
        holders=holders,
        frozen=draw(st.one_of(st.none(), frozen)),
        sequences=draw(st.dictionaries(TEXTS, st.integers(0, 10**9), max_size=3)),
        history=tuple(draw(st.lists(ended, max_size=2))),
    )
