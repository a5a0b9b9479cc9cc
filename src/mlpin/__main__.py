"""`python -m mlpin`."""

from mlpin.cli import run

if __name__ == "__main__":
    run()
