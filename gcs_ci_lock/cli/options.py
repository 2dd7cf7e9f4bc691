"""The options that several commands share; every one has its variable GCS_CI_LOCK_..."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Concatenate, ParamSpec

import typer

_P = ParamSpec("_P")

Names = Annotated[
    list[str],
    typer.Argument(
        metavar="NAME", show_default=False, help="The locks, such as acme/api/prod: all or none."
    ),
]
# Further ones are taken too, so that it can be said what to do instead.
OneName = Annotated[
    list[str],
    typer.Argument(metavar="NAME", show_default=False, help="The lock, such as acme/api/prod."),
]


def not_empty(context: typer.Context, param: typer.CallbackParam, value: str) -> str:
    """Refuse an option that is given empty, as by a variable that is not set."""
    source = context.get_parameter_source(param.name or "")
    if not value.strip() and source is not None and source.name == "COMMANDLINE":
        message = "it is empty: expected a value, or not to be given at all"
        raise typer.BadParameter(message)
    return value


Bucket = Annotated[
    str,
    typer.Option(
        "--bucket",
        envvar="GCS_CI_LOCK_BUCKET",
        metavar="BUCKET",
        show_default=False,
        help="BUCKET or gs://BUCKET/PREFIX (prefix default: locks).",
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
        help="Holders tolerated in total, this one included; `unlimited` = shared.",
    ),
]
Wait = Annotated[
    str,
    typer.Option(
        "--wait",
        envvar="GCS_CI_LOCK_WAIT",
        metavar="TIME",
        help="How long to wait: 90s, 30m, 2h; 0 = one try.",
    ),
]
Ttl = Annotated[
    str,
    typer.Option(
        "--ttl",
        envvar="GCS_CI_LOCK_TTL",
        metavar="TIME",
        help="How long a lease lasts after its last renewal, 30s to 24h.",
    ),
]
MaxHold = Annotated[
    str,
    typer.Option(
        "--max-hold",
        envvar="GCS_CI_LOCK_MAX_HOLD",
        metavar="TIME",
        help="After this long the lease is renewed no more.",
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
        help="Rising number of this job: one lower than one that was granted ends as outdated.",
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
        help="Takes over at once from a holder of the same name. Two that run at once overlap!",
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
        help="Shown to those who wait.",
    ),
]
LeaseFile = Annotated[
    str,
    typer.Option(
        "--lease-file",
        envvar="GCS_CI_LOCK_LEASE_FILE",
        metavar="FILE",
        help="Where the lease is kept between acquire, check and release.",
    ),
]
Json = Annotated[
    bool,
    typer.Option(
        "--json", envvar="GCS_CI_LOCK_JSON", help="Print one JSON document on standard output."
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
    """The options of every command that acquires, as they were given."""

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
    """Return a command with `AcquireOptions` before its own options, which it gets as one value.

    typer reads a command's options from its signature: this one puts both together.

    Args:
        command: what it does.
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
