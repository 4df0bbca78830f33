"""Raw data in, arrays out; no models in sight."""
