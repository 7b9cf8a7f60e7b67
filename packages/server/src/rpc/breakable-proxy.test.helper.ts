import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** Passes bytes on to a port, until both sides' connections are broken off: what the kill of a client looks like. */
export async function startProxy(target: number) {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    const upstream = connect(target, "127.0.0.1");
    for (const end of [socket, upstream]) {
      sockets.push(end);
      end.on("error", () => {});
    }
    socket.pipe(upstream).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const breakOff = () => {
    server.close();
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return { port, breakOff };
}
