"""Types of W&B, for annotations: named here, they are not imported with a logger.

jsonargparse looks for the types of a class's arguments in all that its module imports for type checkers: it would
import W&B, which takes a second, to read the command line of a training that logs elsewhere.
"""

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from wandb import Run
    from wandb.sdk.lib import RunDisabled

    WandbRun: TypeAlias = Run | RunDisabled
else:
    WandbRun = object
