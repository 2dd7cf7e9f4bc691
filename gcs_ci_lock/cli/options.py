"""The options that several commands share; every one has its variable GCS_CI_LOCK_..."""

from typing import Annotated

import typer

Name = Annotated[
    str, typer.Argument(metavar="NAME", show_default=False, help="The lock, such as acme/api/prod.")
]
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
