"""One hook of each kind, and two of goinst_spans."""

import json
import os
from pathlib import Path

from goinst import Exporter, hookimpl
from goinst_hooks import protocol, sign

PROTOCOL = protocol("hookkit")
asked = []


class Diary(Exporter):
    """names of spans, one a line

    and what else is to be said of a diary."""

    def __init__(self, place):
        super().__init__()
        if place == "secret":
            raise ValueError("nobody may\nread that")
        self.file = Path(place).open("w")  # noqa: SIM115

    def export(self, spans):
        for span in spans:
            self.file.write(f"{span.name}\n")
        if self.file.name.endswith("lossy"):
            self.losses["torn_out"] += 1
            self.undone[spans[0].plugin] += 1
        spans.clear()  # the list is its own

    def flush(self):
        self.file.flush()

    def close(self):
        self.file.write("the end\n")
        self.file.close()


@hookimpl
def goinst_exporters():
    return {"diary": Diary}


@hookimpl(tryfirst=True, specname="goinst_spans")
def early(spans):
    sign(spans, "kit first")


@hookimpl(wrapper=True)
def goinst_spans(spans):
    sign(spans, "kit before")
    result = yield
    sign(spans, "kit after")
    return result


@hookimpl
def goinst_resource(process):
    asked.append(process.pid)
    seen = sorted(name for name in process.attributes if name.startswith("process."))
    return {"team.name": "blue", "team.saw": seen, "team.module": process.module, "service.name": "kit"}


@hookimpl
def goinst_summary(summary):
    if path := os.environ.get("GOINST_KIT"):
        Path(path).write_text(json.dumps({"spans": summary.spans, "ended": summary.ended, "asked": len(asked)}))
