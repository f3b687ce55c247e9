"""`python -m hcawatch` is the command `hcawatch`."""

from hcawatch.cli import main

if __name__ == "__main__":
    main()
