"""HTTP/1.1 below the routes: connections, time limits, and what is around every request."""
