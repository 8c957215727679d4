import { connect, createServer, type AddressInfo } from 'node:net'

const localhost = '127.0.0.1'

/** True when this process could listen there now. */
export const isFree = (port: number, host = localhost): Promise<boolean> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(false)
      else reject(error)
    })
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)))
  })

/**
 * A port that nobody listens on. A connection that the server's side closes first leaves it in TIME_WAIT, so that the system hands it to
 * nobody else for a minute, while listening on it stays allowed.
 */
export const freePort = (host = localhost): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.end()).once('error', reject)
    server.listen({ port: 0, host, exclusive: true }, () => {
      const { port } = server.address() as AddressInfo
      const client = connect(port, host)
      client.once('error', reject).once('close', () => server.close(() => resolve(port)))
      client.resume()
    })
  })

/** The port that was asked for, or any free one; a taken one is an error that names `what`. */
export const claimPort = async (port: number | undefined, what: string): Promise<number> => {
  if (port === undefined) return freePort()
  if (await isFree(port)) return port
  throw new Error(
    `Port ${port} on ${localhost} is taken, so ${what} cannot use it. Choose another one, or stop the program that holds it.`,
  )
}

/** True when somebody listens there. */
export const answers = (port: number, host = localhost): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, host, () => {
      resolve(true)
      socket.destroy()
    }).once('error', () => resolve(false))
  })
