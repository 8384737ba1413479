from goinst import hookimpl
from goinst_hooks import protocol

PROTOCOL = protocol("hookoddresource")


@hookimpl
def goinst_resource():
    return {"process.pid": 1, "odd.thing": object(), "odd.good": 7}
