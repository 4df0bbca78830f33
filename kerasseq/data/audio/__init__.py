"""Read sound from files."""
