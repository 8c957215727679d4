import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** A way to a server that can be closed, as if the server were away, or held, as if it did not answer. */
export const openProxy = async (address: string) => {
  const [host, port] = address.split(':')
  const sockets = new Set<Socket>()
  let isOpen = true
  const add = (socket: Socket): Socket => {
    sockets.add(socket)
    return socket.on('error', () => socket.destroy()).on('close', () => sockets.delete(socket))
  }
  const server = createServer((near) => {
    add(near)
    if (!isOpen) {
      near.destroy()
      return
    }
    const far = add(connect(Number(port), host))
    near.pipe(far).pipe(near)
    near.on('close', () => far.destroy())
    far.on('close', () => near.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port: nearPort } = server.address() as AddressInfo
  const closeAll = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    address: `127.0.0.1:${nearPort}`,
    hold(): void {
      for (const socket of sockets) socket.unpipe()
    },
    shut(): void {
      isOpen = false
      closeAll()
    },
    open(): void {
      isOpen = true
      closeAll()
    },
    /** nobody listens there any more: connections are refused */
    vanish(): void {
      server.close()
      closeAll()
    },
    async comeBack(): Promise<void> {
      server.listen(nearPort, '127.0.0.1')
      await once(server, 'listening')
    },
    close(): void {
      server.close()
      closeAll()
    },
  }
}
