"""When a holder is known to be dead without asking anybody: by who it was and who we are."""

import re

from gcs_ci_lock.core.record import Owner

_NUMBER = re.compile(r"[0-9]{1,20}")


def known_dead(holder: Owner, claimant: Owner) -> str:
    """Return the proof that a holder's job is over, for people and the history, or "".

    Args:
        holder: who holds the lock, as the record tells.
        claimant: who asks; its own job runs.

    Holders and claimants of CI systems where each job counts its own attempts name none.

    Source: a run of GitHub Actions is attempted again only when its last attempt is completed,
    https://docs.github.com/en/actions/how-tos/manage-workflow-runs/re-run-workflows-and-jobs
    """
    if claimant.identity and holder.identity == claimant.identity:
        return f'"{claimant.identity}" is here again'
    if _is_earlier_attempt(holder, claimant):
        return f"run {holder.run_id} goes on as attempt {claimant.attempt}"
    return ""


def _is_earlier_attempt(holder: Owner, claimant: Owner) -> bool:
    # Two servers can have a run of the same number: the page names the server.
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
