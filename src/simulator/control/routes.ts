import type { IncomingMessage, ServerResponse } from 'node:http'
import type { SimulatorControl } from '../control.ts'
import type { Fault } from '../faults.ts'
import { readBody } from '../http/body.ts'
import type { LoginInput } from '../logins.ts'
import type { ScriptInput } from '../scripts.ts'
import type { Settings } from '../settings.ts'
import type { ConvertInput } from './convert.ts'
import type { MergeInput } from './merge.ts'
import type { AddInput, EditInput, MassInput, ModifyDateInput, RemoveInput } from './people.ts'

type Route = (control: SimulatorControl, body: unknown, query: URLSearchParams) => unknown

const optional = (query: URLSearchParams, name: string): string | undefined => query.get(name) ?? undefined

const needed = (query: URLSearchParams, name: string): string => {
  const value = query.get(name)
  if (value === null || value === '') throw new Error(`${name} is missing`)
  return value
}

const routes: Record<string, Route> = {
  'GET settings': (control) => control.settings(),
  'POST settings': (control, body) => control.settings(body as Partial<Settings>),
  'GET faults': (control) => control.faults(),
  'POST faults': (control, body) => ({ ids: [body].flat().map((fault) => control.addFault(fault as Fault)) }),
  'DELETE faults': (control, _body, query) => control.clearFaults(optional(query, 'id')),
  'GET users': (control) => control.users(),
  'POST users': (control, body) => control.setUser(body as LoginInput),
  'DELETE users': (control, _body, query) => control.removeUser(needed(query, 'username')),
  'POST edit': (control, body) => control.edit(body as EditInput),
  'POST add': (control, body) => control.add(body as AddInput),
  'POST remove': (control, body) => control.remove(body as RemoveInput),
  'POST mass-update': (control, body) => control.massUpdate(body as MassInput),
  'POST modify-date': (control, body) => control.setModifyDate(body as ModifyDateInput),
  'POST convert': (control, body) => control.convert(body as ConvertInput),
  'POST merge': (control, body) => control.merge(body as MergeInput),
  'GET scripts': (control) => control.scripts(),
  'POST scripts': (control, body) => ({ id: control.script(body as ScriptInput) }),
  'DELETE scripts': (control) => control.clearScripts(),
  'GET people': (control, _body, query) =>
    control.people({
      entity: needed(query, 'entity'),
      after: query.get('after'),
      count: Number(query.get('count') ?? 1000),
      ...(query.has('where') && { where: needed(query, 'where') }),
      ...(query.has('select') && { select: needed(query, 'select').split(',') }),
    }),
  'GET person': (control, _body, query) => control.person(needed(query, 'entity'), needed(query, 'id')),
  'GET notes': (control, _body, query) =>
    control.notes({
      ...(query.has('person') && { person: needed(query, 'person') }),
      after: query.get('after'),
      count: Number(query.get('count') ?? 1000),
    }),
  'GET counts': (control) => control.counts(),
  'GET journal': (control, _body, query) => {
    const [kind, method] = [query.get('kind'), query.get('method')]
    return control
      .journal()
      .filter(
        (line) => (kind === null || line.path.includes(`/-/${kind}`)) && (method === null || line.method === method),
      )
  },
  'GET gauges': (control) => control.gauges(),
  'POST gauges/reset': (control) => control.resetGauges(),
}

/** The control address: JSON in, JSON out, no login. Never counted as a request to the CRM. */
export const answerControl = async (
  control: SimulatorControl,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> => {
  const url = new URL(request.url ?? '/', 'http://simulator')
  const route = routes[`${request.method} ${url.pathname.slice('/_simulator/'.length)}`]
  const answer = (status: number, value: unknown): void => {
    response.writeHead(status, { 'Content-Type': 'application/json; charset=utf-8' })
    response.end(JSON.stringify(value ?? {}))
  }
  if (route === undefined) {
    answer(404, { error: `There is no ${request.method} ${url.pathname}` })
    return
  }
  try {
    const text = await readBody(request)
    answer(200, route(control, text === '' ? {} : JSON.parse(text), url.searchParams))
  } catch (error) {
    answer(400, { error: error instanceof Error ? error.message : String(error) })
  }
}
