"""`python -m cascade` is the command line."""

from cascade.service.cli.main import app

app()
