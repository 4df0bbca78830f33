"""Names, exit codes and environment variables that the processes of a search share."""

from __future__ import annotations

__all__ = ["RESTART", "CHIEF", "CORES", "tuner_environment"]

RESTART = 75  # the exit code of a worker that asks to be started again
CHIEF = "chief"  # KerasTuner knows the chief by its name
CORES = "KERASSEQ_CORES"  # environment variable: the cores that a worker may use


def tuner_environment(name: str, host: str, port: int) -> dict[str, str]:
    """Environment variables by which KerasTuner identifies a process and finds the chief.

    Args:
        name: name of the process: `CHIEF`, or the name of a worker.
        host: host of the chief.
        port: port of the chief.
    """
    return {
        "KERASTUNER_TUNER_ID": name,
        "KERASTUNER_ORACLE_IP": host,
        "KERASTUNER_ORACLE_PORT": str(port),
    }
