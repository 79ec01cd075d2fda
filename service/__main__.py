"""`python -m service` is `verify-gateway`."""

from service.cli import main

main()
