"""What clients send and get, as pure pydantic models: the gateway and the Python client share them."""
