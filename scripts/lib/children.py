"""Child processes that do not outlive the program, however it ends."""

import subprocess


def start(command, log, death_signal="KILL", **options):
    """Starts a child that writes to `log`, does not hear Ctrl-C, and gets `death_signal` when this program is gone."""
    with log.open("ab") as output:
        return subprocess.Popen(["setpriv", "--pdeathsig", death_signal, *command], stdin=subprocess.DEVNULL, stdout=output,
                                stderr=output, start_new_session=True, **options)
