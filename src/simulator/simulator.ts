import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { makeControl, type SimulatorControl } from './control.ts'
import { answerControl } from './control/routes.ts'
import { makeFaults } from './faults.ts'
import { incoming } from './http/address.ts'
import type { Desk } from './http/desk.ts'
import { serve } from './http/serve.ts'
import { makeSessions } from './http/sessions.ts'
import { makeJournal } from './journal.ts'
import { makeLater } from './later.ts'
import { makeScripts } from './scripts.ts'
import { makeWorld, type SimulatorOptions } from './world.ts'

export type { SimulatorOptions } from './world.ts'
export type { SimulatorControl } from './control.ts'

export type Simulator = {
  /** the bare product address: http://127.0.0.1:PORT */
  url: string
  port: number
  control: SimulatorControl
  close(): Promise<void>
}

/** Starts a CRM that speaks SData. The same options and seed give the same people everywhere. */
export const startSimulator = async (options: SimulatorOptions = {}): Promise<Simulator> => {
  const world = makeWorld(options)
  const scripts = makeScripts()
  const desk: Desk = {
    world,
    faults: makeFaults(),
    journal: makeJournal(),
    sessions: makeSessions(world),
    later: makeLater(),
    basePath: (options.basePath ?? '/sdata').replace(/\/+$/, ''),
    worked: (address, method) => scripts.worked(control, incoming(address, method)),
  }
  const control = makeControl(desk, scripts)
  const server = createServer({ maxHeaderSize: 65_536 }, (request, response) => {
    const handle = request.url?.startsWith('/_simulator/')
      ? answerControl(control, request, response)
      : serve(desk, request, response)
    handle.catch(() => request.socket.destroy())
  })
  server.keepAliveTimeout = 120_000
  const host = options.host ?? '127.0.0.1'
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port ?? 0, host, resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    url: `http://${host}:${port}`,
    port,
    control,
    close: () =>
      new Promise((resolve) => {
        desk.later.stop()
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
