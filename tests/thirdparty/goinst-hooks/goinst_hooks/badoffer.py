from goinst import hookimpl
from goinst_hooks import protocol

PROTOCOL = protocol("hookbadoffer")


@hookimpl
def goinst_exporters():
    raise LookupError("no output today")
