"""Camera and microphone drivers: live devices, streams and files, on one time line."""
