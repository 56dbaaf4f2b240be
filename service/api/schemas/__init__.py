"""Requests and answers as pure pydantic models, which the gateway and the Python client share."""
