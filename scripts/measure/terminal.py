"""A program on a terminal of its own: what it writes and when, what it takes, what it leaves."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

import pyte

# The screen, the cursor, the mouse, pasting: what a program switches and has to switch back.
AT_FIRST = {1049: False, 25: True, 1000: False, 1002: False, 1003: False, 1006: False, 2004: False}


class Terminal:
    def __init__(self, command, home, size, env):
        self.columns, self.rows = size
        self.began, self.ending, self.pieces, self.shown, self.hung_up = time.monotonic(), False, [], None, False
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", self.rows, self.columns, 0, 0))
            directories = {name: home for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")}
            os.environ.update(TERM="xterm-256color", COLORTERM="truecolor", LANG="C.UTF-8", HOME=home, **directories, **env)
            os.execvp(command[0], command)
        self.modes = termios.tcgetattr(self.fd)

    def read(self, seconds):
        """What it writes within so many seconds, at most one piece; answers what terminals are asked."""
        if not select.select([self.fd], [], [], max(seconds, 0))[0]:
            return b""
        try:
            piece = os.read(self.fd, 1 << 16)
        except OSError:
            if self.ending:
                self.hung_up = True
                return b""
            sys.exit(f"it has ended by itself: run it by hand in a terminal of {self.columns}x{self.rows} to see why")
        self.pieces.append((time.time(), piece))
        for question, answer in ((b"\x1b[6n", b"\x1b[1;1R"), (b"\x1b[c", b"\x1b[?62c"), (b"\x1b]11;?", b"\x1b]11;rgb:0000/0000/0000\x07")):
            if question in piece:
                self.press(answer)
        return piece

    def press(self, keys):
        os.write(self.fd, keys)

    def until(self, seconds, found=lambda seen: False):
        """Reads for so long, or until something is found; the bytes, and when it was."""
        seen, end = b"", time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self.hung_up:
            seen += self.read(left)
            if found(seen):
                return seen, time.monotonic()
        return seen, None

    def screen(self, piece=None):
        """The screen after all that was written, or after one piece more."""
        if self.shown is None:
            screen = pyte.Screen(self.columns, self.rows)
            screen.write_process_input = lambda data: None
            self.shown = (screen, pyte.ByteStream(screen))
        screen, stream = self.shown
        if piece is not None:
            stream.feed(plain(piece))
            return screen
        for _, piece in self.pieces:
            stream.feed(plain(piece))
        self.pieces.clear()
        return screen

    def lines(self):
        """Its text, by row."""
        return text(self.screen())

    def when(self, seconds, condition):
        """Reads for so long; from what time on (of the wall clock) the screen met the condition, or None. A
        frame that is half there may meet it for a moment."""
        self.screen()
        self.until(seconds)
        pieces, self.pieces, met = self.pieces, [], None
        for at, piece in pieces:
            if not condition(self.screen(piece)):
                met = None
            elif met is None:
                met = at
        return met

    def looks(self, word):
        """How the rows with this text look, by row: colours and weights of their cells, without the text itself."""
        screen = self.screen()
        return {row: tuple(screen.buffer[row][column][1:] for column in range(self.columns))
                for row, line in enumerate(self.lines()) if word in line}

    def processes(self):
        found, all_of_them = [self.pid], [int(name) for name in os.listdir("/proc") if name.isdigit()]
        parents = {pid: stat(pid) for pid in all_of_them}
        for pid in found:
            found += [other for other, fields in parents.items() if fields and int(fields[1]) == pid]
        return found

    def ticks(self):
        return sum(int(fields[11]) + int(fields[12]) for fields in map(stat, self.processes()) if fields)

    def memory(self):
        """Resident, and of that what no file has; MB."""
        total, own = 0, 0
        for pid in self.processes():
            with open(f"/proc/{pid}/status") as status:
                sizes = dict(re.findall(r"^(VmRSS|RssAnon):\s+(\d+)", status.read(), re.MULTILINE))
            total, own = total + int(sizes["VmRSS"]), own + int(sizes["RssAnon"])
        return total / 1024, own / 1024

    def left_by(self, number):
        """Sends a signal; in words what is left of the terminal."""
        self.ending = True
        written = b"".join(piece for _, piece in self.pieces)
        os.kill(self.pid, number)
        end = time.monotonic() + 3
        gone = False
        while time.monotonic() < end and not gone:
            written += self.read(0.05)
            gone = os.waitpid(self.pid, os.WNOHANG)[0] != 0
        if not gone:
            return "goes on for 3 s and more"
        written += self.until(0.3)[0]
        self.pid = None
        state = dict(AT_FIRST)
        for numbers, switch in re.findall(rb"\x1b\[\?([\d;]+)([hl])", written):
            state.update({int(one): switch == b"h" for one in numbers.split(b";")})
        wrong = [str(mode) for mode, first in AT_FIRST.items() if state[mode] != first]
        if termios.tcgetattr(self.fd)[:4] != self.modes[:4]:
            wrong.append("raw")
        return f"left broken ({', '.join(wrong)})" if wrong else "restored"

    def end(self):
        self.ending = True
        for last in (b"\x1b", b"q"):
            if self.pid is None:
                break
            try:
                self.press(last)
            except OSError:
                break
            time.sleep(0.3)
            self.read(0)
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                if self.pid is None:
                    break
                os.kill(self.pid, number)
                time.sleep(0.3)
                if os.waitpid(self.pid, os.WNOHANG)[0]:
                    break
            except (ProcessLookupError, ChildProcessError):
                break
        os.close(self.fd)


def text(screen):
    """As `screen.display`, which fails on the second half of a wide character."""
    return ["".join(screen.buffer[row][column].data for column in range(screen.columns)) for row in range(screen.lines)]


def plain(piece):
    """Without what pyte would take for text: private sequences of newer terminals."""
    return re.sub(rb"\x1b\[[<>=][\d;]*[a-zA-Z]", b"", piece)


def stat(pid):
    """The fields of /proc/PID/stat after the name, if it is still there."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return None
