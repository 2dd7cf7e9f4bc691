"""The options of the commands; each has a variable GCS_CI_LOCK_..."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Concatenate, ParamSpec

import typer

_P = ParamSpec("_P")

Names = Annotated[
    list[str],
    typer.Argument(
        metavar="NAME",
        show_default=False,
        help="The locks, such as acme/api/prod: all or none.",
    ),
]
Name = Annotated[
    str,
    typer.Argument(metavar="NAME", show_default=False, help="The lock, such as acme/api/prod."),
]
# Accepts several names, so that the error can suggest what to do instead.
OneName = Annotated[
    list[str],
    typer.Argument(metavar="NAME", show_default=False, help="The lock, such as acme/api/prod."),
]


def not_empty(context: typer.Context, param: typer.CallbackParam, value: str) -> str:
    """Refuse an option that is given empty, e.g. through a shell variable that is not set."""
    source = context.get_parameter_source(param.name or "")
    if not value.strip() and source is not None and source.name == "COMMANDLINE":
        message = "it is empty: give it a value, or leave the option out"
        raise typer.BadParameter(message)
    return value


Bucket = Annotated[
    str,
    typer.Option(
        "--bucket",
        envvar="GCS_CI_LOCK_BUCKET",
        metavar="BUCKET",
        show_default=False,
        help="BUCKET or gs://BUCKET/PREFIX (default prefix: locks).",
    ),
]
Endpoint = Annotated[
    str,
    typer.Option(
        "--endpoint",
        envvar="GCS_CI_LOCK_ENDPOINT",
        metavar="URL",
        show_default=False,
        help="Another storage endpoint; plain http only on loopback.",
    ),
]
Slots = Annotated[
    str,
    typer.Option(
        "--slots",
        envvar="GCS_CI_LOCK_SLOTS",
        metavar="N",
        help="How many jobs may hold the lock together; `unlimited` = shared.",
    ),
]
Wait = Annotated[
    str,
    typer.Option(
        "--wait",
        envvar="GCS_CI_LOCK_WAIT",
        metavar="TIME",
        help="How long to wait: 90s, 30m, 2h; 0 = do not wait.",
    ),
]
Ttl = Annotated[
    str,
    typer.Option(
        "--ttl",
        envvar="GCS_CI_LOCK_TTL",
        metavar="TIME",
        help="How long the lease lasts after its last renewal, 30s to 24h.",
    ),
]
MaxHold = Annotated[
    str,
    typer.Option(
        "--max-hold",
        envvar="GCS_CI_LOCK_MAX_HOLD",
        metavar="TIME",
        help="Stop renewing the lease after this time.",
    ),
]
Queue = Annotated[
    str,
    typer.Option(
        "--queue",
        envvar="GCS_CI_LOCK_QUEUE",
        metavar="fifo|newest",
        help="newest: older waiters of the same job end as superseded.",
    ),
]
Priority = Annotated[
    str,
    typer.Option(
        "--priority", envvar="GCS_CI_LOCK_PRIORITY", metavar="N", help="0 to 9, higher first."
    ),
]
Sequence = Annotated[
    str,
    typer.Option(
        "--sequence",
        callback=not_empty,
        envvar="GCS_CI_LOCK_SEQUENCE",
        metavar="N",
        show_default=False,
        help="A number that only grows, such as the run number. A job whose number is lower than "
        "one already granted ends as outdated.",
    ),
]
Identity = Annotated[
    str,
    typer.Option(
        "--identity",
        callback=not_empty,
        envvar="GCS_CI_LOCK_IDENTITY",
        metavar="NAME",
        show_default=False,
        help="Take over immediately from a holder with the same identity. Only for jobs that never "
        "run at the same time: two would both hold the lock.",
    ),
]
VerifyHolder = Annotated[
    bool,
    typer.Option(
        "--verify-holder/--no-verify-holder",
        envvar="GCS_CI_LOCK_VERIFY_HOLDER",
        help="Ask the holder's CI system whether its job is over.",
    ),
]
Reason = Annotated[
    str,
    typer.Option(
        "--reason",
        envvar="GCS_CI_LOCK_REASON",
        metavar="TEXT",
        show_default=False,
        help="Why, for those who wait; they see it.",
    ),
]
Until = Annotated[
    str,
    typer.Option(
        "--until",
        callback=not_empty,
        envvar="GCS_CI_LOCK_UNTIL",
        metavar="TIME",
        show_default=False,
        help="When it ends by itself: 2h, or 2026-11-24T06:00Z. Default: at unfreeze.",
    ),
]
LeaseFile = Annotated[
    str,
    typer.Option(
        "--lease-file",
        envvar="GCS_CI_LOCK_LEASE_FILE",
        metavar="FILE",
        help="The file that holds the lease between acquire, check and release.",
    ),
]
Json = Annotated[
    bool,
    typer.Option(
        "--json", envvar="GCS_CI_LOCK_JSON", help="Print one JSON document to standard output."
    ),
]
Verbose = Annotated[
    bool,
    typer.Option(
        "-v",
        "--verbose",
        envvar="GCS_CI_LOCK_VERBOSE",
        help="Log every storage request with its latency.",
    ),
]

DEFAULT_LEASE_FILE = ".gcs-ci-lock.lease"


@dataclass(frozen=True, slots=True, kw_only=True)
class AcquireOptions:
    """The options of every command that acquires, as given."""

    names: Names
    bucket: Bucket = ""
    endpoint: Endpoint = ""
    slots: Slots = "1"
    wait: Wait = "30m"
    ttl: Ttl = "2m"
    max_hold: MaxHold = "6h"
    queue: Queue = "fifo"
    priority: Priority = "5"
    sequence: Sequence = ""
    identity: Identity = ""
    verify_holder: VerifyHolder = True
    reason: Reason = ""
    verbose: Verbose = False


def with_acquire_options(
    command: Callable[Concatenate[AcquireOptions, _P], int], *, names: object = Names
) -> Callable[..., int]:
    """Return a command with the options of `AcquireOptions` and its own.

    typer reads the options from the signature of the result, which contains both.

    Args:
        command: gets the former as one value.
        names: the type of its names.
    """
    first, *options = inspect.signature(AcquireOptions).parameters.values()
    shared = [first.replace(annotation=names), *options]
    _, *own = inspect.signature(command).parameters.values()

    def with_options(**given: object) -> int:
        options = AcquireOptions(**{p.name: given.pop(p.name) for p in shared})  # type: ignore[arg-type]
        return command(options, **given)  # type: ignore[call-arg,arg-type]  # typer has checked them

    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in (*shared, *own)]
    with_options.__doc__ = command.__doc__
    with_options.__name__ = command.__name__
    with_options.__annotations__ = {p.name: p.annotation for p in parameters}
    with_options.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return with_options
