"""An engine's socket behind another one that counts what is asked, and can go away and come back."""
import asyncio
import os
import re
import threading

REQUEST = re.compile(rb"(?:GET|POST|PUT|DELETE|HEAD) (/[^ ]*) HTTP/1\.1\r\n")


class Proxy:
    def __init__(self, engine, socket):
        self.engine, self.socket, self.requests = engine, socket, []
        self.loop, self.server, self.open = asyncio.new_event_loop(), None, set()

    def __enter__(self):
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.back()
        return self

    def __exit__(self, *_):
        self.lose()
        self.loop.call_soon_threadsafe(self.loop.stop)

    def back(self):
        self.call(self._serve())

    def lose(self):
        """Nobody listens there any more, and every connection is cut."""
        self.call(self._lose())

    def call(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    async def _serve(self):
        self.server = await asyncio.start_unix_server(self._accept, self.socket)

    async def _lose(self):
        if self.server:
            self.server.close()
            self.server = None
            os.unlink(self.socket)
        for writer in list(self.open):
            writer.transport.abort()

    async def _accept(self, reader, writer):
        try:
            from_engine, to_engine = await asyncio.open_unix_connection(self.engine)
        except OSError:
            writer.close()
            return
        self.open |= {writer, to_engine}
        await asyncio.gather(self._pass(reader, to_engine, True), self._pass(from_engine, writer, False))
        self.open -= {writer, to_engine}

    async def _pass(self, reader, writer, counted):
        try:
            while piece := await reader.read(1 << 16):
                if counted:
                    for path in REQUEST.findall(piece):
                        self.requests.append(re.sub(r"[0-9a-f]{64}", "ID", path.decode()).partition("?")[0])
                writer.write(piece)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()
