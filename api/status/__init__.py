"""The system about itself."""
