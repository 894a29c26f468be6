"""`python -m livematte`: the command line, where no `livematte` command is on the path."""

from livematte.cli import main

main()
