from goinst import Exporter, hookimpl
from goinst_hooks import protocol

PROTOCOL = protocol("hookbadoutput")


class Torn(Exporter):
    """takes one batch"""

    batches = 0

    def export(self, spans):
        self.batches += 1
        if self.batches > 1:
            raise RuntimeError("torn\nto pieces")

    def close(self):
        raise KeyError("and it does not close")


class Miscounting(Exporter):
    def flush(self):
        self.losses["many"] = "some"


class Bare(Exporter):
    def __init__(self, place):
        self.place_of_mine = place


def crash(place):
    raise ZeroDivisionError(place)


@hookimpl
def goinst_exporters():
    return {"torn": lambda place: Torn(), "miscounting": lambda place: Miscounting(), "bare": Bare,
            "hollow": lambda place: None, "crash": crash, "json": Torn, "diary-of-two": Torn}  # fmt: skip
