"""Growth of the process's peak memory, by the same rule as in the program."""


def status():
    """Resident, peak and file-backed memory of this process in KiB; None where Linux does not say."""
    try:
        with open("/proc/self/status") as file:
            fields = dict(line.split(":", 1) for line in file)
        return tuple(int(fields[key].split()[0]) for key in ("VmRSS", "VmHWM", "RssFile"))
    except (OSError, KeyError):
        return None


class PeakGrowth:
    """Starts now, while the program is idle."""

    def __init__(self):
        try:
            with open("/proc/self/clear_refs", "w") as file:
                file.write("5")  # the peak becomes what is resident now
        except OSError:
            pass
        self.idle = status()

    def mib(self):
        """Peak minus idle, less the pages of code that were read from files meanwhile."""
        now = status()
        if self.idle is None or now is None or now[1] == self.idle[1]:
            return None
        return (now[1] - self.idle[0] - (now[2] - self.idle[2])) / 1024
