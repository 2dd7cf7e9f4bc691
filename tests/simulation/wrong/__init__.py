"""The wrong versions of the code, each with what must catch it; see `planted`."""

from tests.simulation.wrong.answers import ANSWERS
from tests.simulation.wrong.clocks import CLOCKS
from tests.simulation.wrong.line import LINE
from tests.simulation.wrong.policies import VOID
from tests.simulation.wrong.record import RECORD

PLANTED = (*RECORD, *ANSWERS, *CLOCKS, *LINE, *VOID)
