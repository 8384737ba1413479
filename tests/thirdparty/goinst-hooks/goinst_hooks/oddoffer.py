from goinst import hookimpl
from goinst_hooks import protocol
from goinst_hooks.badoutput import Torn

PROTOCOL = protocol("hookoddoffer")


@hookimpl
def goinst_exporters():
    return {"diary-of-two": Torn}


@hookimpl(wrapper=True, specname="goinst_exporters")
def forgets():
    yield
