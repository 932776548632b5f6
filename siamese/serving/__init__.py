"""Answers over HTTP: requests checked, batched and answered; the page. Ray is not needed for it."""
