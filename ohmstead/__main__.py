"""`python -m ohmstead`, for where the `ohmstead` command is not on the path."""

from ohmstead.config.cli import main

if __name__ == "__main__":
    main()
