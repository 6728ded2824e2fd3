"""Reports: results and what belongs to them, as documents for people. Pure: no host, no clock, nothing written."""
