"""One module a page; each has a ``router`` that application.py mounts."""
