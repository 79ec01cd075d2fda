"""The bytes read from a connection and not parsed yet, given out in pieces that end where a request may end.

Used by protocol. Knows where requests may end and nothing of their content; only the parser decides where they do.
"""

from __future__ import annotations

# The parser itself has no limit: a request line and headers are kept until they are complete.
LARGEST_HEAD = 64 * 1024
# Nor does it limit the overhead of a chunked body: our largest body, with one byte to a chunk, takes 384 KiB.
LARGEST_CHUNKED = 512 * 1024
# What ends a head or a chunked body: the last line's end and an empty line (HTTP/0.9 may end its line without CR).
BLANK = b"\n\r\n"


class ReceiveBuffer:
    """One connection's unparsed bytes. `in_head`: the next one belongs to a head, or to nothing yet.

    `ended`: the last piece was the end of a request. `length`: what is still to come of a body of declared length.
    """

    def __init__(self) -> None:
        self.in_head = True
        self.ended = False
        self._length = 0
        self._size = 0  # of the head, or of the chunked body, so far
        self._bytes = b""
        self._at = 0  # everything before it has been given out

    def __bool__(self) -> bool:
        """Return whether there are more bytes."""
        return self._at < len(self._bytes)

    def add(self, data: bytes) -> None:
        """Keep what was read."""
        # What was given out goes: kept, a connection that lives long would hold all that it ever brought.
        self._bytes = self._bytes[self._at :] + data
        self._at = 0

    def take(self) -> bytes:
        """Return the next piece. It contains at most one end of a request, as its last bytes."""
        data, begin = self._bytes, self._at
        if self._length:
            # Counted, not searched: a body may contain an empty line, which would be taken for an end.
            end = min(len(data), begin + self._length)
            self._length -= end - begin
        else:
            end = data.find(BLANK, begin) + len(BLANK)
            if end < len(BLANK):
                # The empty line may arrive in two parts, and half of it, given out, would be missed.
                end = len(data) - next((kept for kept in (2, 1) if data.endswith(BLANK[:kept], begin)), 0)
            self._size += end - begin
        if end == len(data):
            self._bytes, self._at = b"", 0
        else:
            self._at = end
        self.ended = self.ended and begin == end
        return data[begin:end]

    def begin_body(self, length: int) -> None:
        """Note that the head is complete. `length`: the body's declared length; 0 for none, or a chunked one."""
        self.in_head, self._size, self._length = False, 0, length

    def end(self) -> None:
        """Note that the request is complete."""
        self.in_head, self.ended, self._size, self._length = True, True, 0, 0

    def is_too_large(self) -> bool:
        """Return whether the head or chunked body has grown beyond its limit."""
        return self._size > (LARGEST_HEAD if self.in_head else LARGEST_CHUNKED)
