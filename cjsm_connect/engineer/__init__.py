"""The engineer's desk: bundles judged by the engineer's own criteria, many at a time, the same way each time."""
