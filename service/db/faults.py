"""Classifies the driver's errors: certainly not done, perhaps done, a violated constraint, or a defect.

Called by pool and engine for every error; nothing outside this package may catch one of asyncpg's. Repeats no text of
the server's, which can contain a statement's values.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import asyncpg

from service.errors import GatewayError, Unavailable, Unclear

RETRY_AFTER: Final = 2

# A failed serialisation, a deadlock.
COLLISIONS: Final = frozenset({"40001", "40P01"})
# The statement may have been committed: the connection broke, the server went away, the server ended the client or its
# transaction (perhaps with the whole session), and SQL's own "completion unknown".
UNCLEAR: Final = ("08", "57P", "25P", "40003")
# The statement was not done: rolled back, out of disk, memory or connections, canceled, no access to its files.
NOT_DONE: Final = ("40", "53", "57", "58")
READ_ONLY: Final = "25006"  # it has become a standby
HELD: Final = "55P03"
BROKEN_RULE: Final = "23"


class ConstraintViolated(GatewayError):
    """A row would violate a constraint. `constraint`: its name."""

    def __init__(self, constraint: str) -> None:
        super().__init__(constraint)
        self.constraint = constraint


class LockNotAvailable(Unavailable):
    """Another session holds a lock that the statement needs, and it gave up waiting. It was not done."""


class Collided(Unavailable):
    """The server rolled it back in favour of another transaction: it may well succeed if it is run again."""


class ClassifiedError(NamedTuple):
    """What to raise, whether the connection can be used again, and whether to run the statement again at once."""

    error: Exception
    line_is_good: bool = False
    again: bool = False


def classify(error: Exception) -> ClassifiedError:
    """Classify an error that came while a statement was with the server."""
    if isinstance(error, asyncpg.PostgresError):
        return _classify_state(error, error.sqlstate or "")
    if isinstance(error, ValueError) or not isinstance(error, UNANSWERED):
        return ClassifiedError(error)  # an argument that cannot be encoded, or a defect
    return ClassifiedError(Unclear(_word(error), RETRY_AFTER))


def unreachable(error: Exception) -> Unavailable:
    """Return the error for a failed connection: nothing was asked of the server yet."""
    return Unavailable(f"The database cannot be reached: {str(error) or 'no answer in time'}.", RETRY_AFTER)


# The driver's own: InterfaceError is a closed connection, InternalClientError a server's goodbye that it has read but
# not acted on yet. TimeoutError is an OSError.
UNANSWERED: Final = (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError)
# What a failed attempt to connect can raise.
UNCONNECTED: Final = (*UNANSWERED, asyncpg.PostgresError)


def _classify_state(error: asyncpg.PostgresError, state: str) -> ClassifiedError:
    fault = ClassifiedError(error, line_is_good=True)
    if state in COLLISIONS:
        fault = ClassifiedError(Collided(_word(error), RETRY_AFTER), line_is_good=True, again=True)
    elif state.startswith(BROKEN_RULE):
        fault = ClassifiedError(ConstraintViolated(error.constraint_name or ""), line_is_good=True)
    elif state == HELD:
        fault = ClassifiedError(LockNotAvailable(_word(error), RETRY_AFTER), line_is_good=True)
    elif state == READ_ONLY:
        fault = ClassifiedError(Unavailable(_word(error), RETRY_AFTER))
    elif state.startswith(UNCLEAR):
        fault = ClassifiedError(Unclear(_word(error), RETRY_AFTER))
    elif state.startswith(NOT_DONE):
        fault = ClassifiedError(Unavailable(_word(error), RETRY_AFTER), line_is_good=True)
    return fault


def _word(error: Exception) -> str:
    return f"The database did not answer: {type(error).__name__}."
