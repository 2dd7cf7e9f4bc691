"""The wrong versions of the code, each with what must catch it; see `planted`."""

from tests.simulation.wrong.answers import ANSWERS
from tests.simulation.wrong.clocks import CLOCKS
from tests.simulation.wrong.obsolete import OBSOLETE
from tests.simulation.wrong.queue import QUEUE_ORDER
from tests.simulation.wrong.record import RECORD

PLANTED = (*RECORD, *ANSWERS, *CLOCKS, *QUEUE_ORDER, *OBSOLETE)
