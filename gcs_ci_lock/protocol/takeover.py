"""Holders whose jobs are over: those known without a question, and those that a grant replaced."""

import re

from gcs_ci_lock.protocol.record import Holder, Owner, PastLease, Record

# An eviction and the grant after it may be dated in the wrong order, by at most so many seconds.
_SLACK = 30.0
_NUMBER = re.compile(r"[0-9]{1,20}")


def proof_of_end(holder: Owner, claimant: Owner) -> str:
    """Return the proof that a holder's job is over, for people and the history, or "".

    The owner of a job that counts its own attempts, not those of the run, has no attempt.

    Args:
        holder: who holds the lock, according to the record.
        claimant: the waiter's own job, which runs.

    Source: a run of GitHub Actions is attempted again only when its last attempt is completed,
    https://docs.github.com/en/actions/how-tos/manage-workflow-runs/re-run-workflows-and-jobs
    """
    if claimant.identity and holder.identity == claimant.identity:
        return f'"{claimant.identity}" is here again'
    if _is_earlier_attempt(holder, claimant):
        return f"run {holder.run_id} goes on as attempt {claimant.attempt}"
    return ""


def taken_over(record: Record, lease: str) -> tuple[PastLease, ...]:
    """Return the past leases that were not released, and that no later grant has replaced.

    For people: a holder of a semaphore that was evicted just after a grant may be missing.

    Args:
        record: as returned by `drop_expired`.
        lease: the lease that is granted now; it does not count as a later grant.
    """
    present: list[Holder | PastLease] = [*record.holders, *record.history]
    grants = [one for one in present if one.lease != lease]

    def followed(ended: PastLease) -> bool:
        slack = _SLACK if ended.outcome == "evicted" else 0.0
        since = ended.ended_at - slack
        return any(one.token > ended.token and one.granted_at >= since for one in grants)

    ends = (e for e in record.history if e.outcome != "released" and e.lease != lease)
    return tuple(ended for ended in ends if not followed(ended))


def _is_earlier_attempt(holder: Owner, claimant: Owner) -> bool:
    # Two servers can have a run with the same number: the address of the page tells them apart.
    same_run = (
        holder.platform == claimant.platform == "github"
        and holder.run_id == claimant.run_id != ""
        and _page_of_run(holder) == _page_of_run(claimant) != ""
    )
    attempts = (holder.attempt, claimant.attempt)
    if not same_run or not all(_NUMBER.fullmatch(attempt) for attempt in attempts):
        return False
    return int(holder.attempt) < int(claimant.attempt)


def _page_of_run(owner: Owner) -> str:
    return owner.url.partition("/attempts/")[0]
