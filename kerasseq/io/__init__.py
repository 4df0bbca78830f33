"""Reading, writing, locking and checking of files, without any kind of data, model or task."""
