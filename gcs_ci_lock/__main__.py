"""`python -m gcs_ci_lock` is the command line."""

from gcs_ci_lock.cli.app import main

if __name__ == "__main__":
    main()
