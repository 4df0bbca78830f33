"""A run as a server: its verbs take and return JSON. It needs the extra `serve`."""
