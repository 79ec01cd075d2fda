"""verify-gateway: a guarded gateway in front of Telnyx Verify."""
