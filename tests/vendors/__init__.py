"""Scripted upstreams over real sockets, one module for each vendor's wire format."""
