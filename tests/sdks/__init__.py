"""The vendors' own Python clients against the gateway: only base URL and key are changed."""
