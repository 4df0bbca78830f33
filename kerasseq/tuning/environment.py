"""What the processes of a search know of each other: environment variables, names, exit codes."""

from __future__ import annotations

__all__ = ["AGAIN", "CHIEF", "CORES", "addressed"]

AGAIN = 75  # the exit code of a worker that asks to be started again
CHIEF = "chief"  # KerasTuner knows the chief by its name
CORES = "KERASSEQ_CORES"  # those of a worker


def addressed(name: str, host: str, port: int) -> dict[str, str]:
    """The environment variables from which KerasTuner reads who a process is.

    Args:
        name: of the process: `CHIEF`, or that of a worker.
        host: of the chief.
        port: of the chief.
    """
    return {
        "KERASTUNER_TUNER_ID": name,
        "KERASTUNER_ORACLE_IP": host,
        "KERASTUNER_ORACLE_PORT": str(port),
    }
