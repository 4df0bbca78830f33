"""Why a kernel runs, and what an installation can use."""
