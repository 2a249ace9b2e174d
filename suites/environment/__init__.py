"""Do the libraries of this image really work, on every device, and are its limits wide enough?"""
