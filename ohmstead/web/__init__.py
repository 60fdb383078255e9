"""The web: HTTP API, live socket, metrics and the built-in page. `Web` in `server` puts the parts together."""
