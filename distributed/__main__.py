"""`python -m distributed` is the command line `siamese`."""

from distributed.cli.main import main

if __name__ == "__main__":
    main()
