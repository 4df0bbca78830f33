"""Reports on which kernels run and why, and on what the installation supports."""
