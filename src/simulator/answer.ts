import { mix } from './hash.ts'
import { read, type Row } from './model.ts'
import { idOf, rowOf } from './store.ts'
import { dateText, keyText, quote, valueWriter } from './values.ts'
import type { Plan } from './query/plan.ts'
import { related } from './query/scope.ts'
import { find } from './query/find.ts'
import { kindNamed, type World } from './world.ts'
import type { Login } from './logins.ts'

/** How entries are written: where links point to, and what is left out. */
export type Style = { base: string; compact: boolean; host?: string }

export type Writer = (row: Row) => string

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const letterPairs = Array.from({ length: 4096 }, (_, n) => `${letters[n >>> 6]}${letters[n & 63]}`)

/** Base64 of 8 bytes. A change of the row changes it. */
export const etagOf = (row: Row): string => {
  const changes = row.own === undefined ? 0 : Number(row.own['$changes'] ?? 0)
  let bits = mix(changes * 2 + 1, typeof row.ref === 'number' ? row.ref : row.ref.length)
  if (typeof row.ref === 'string') for (let i = 6; i < row.ref.length; i++) bits = mix(bits, row.ref.charCodeAt(i))
  return `${letterPairs[bits & 4095]}${letterPairs[(bits >>> 12) & 4095]}${letters[bits >>> 26]}P////8=`
}

const urlOf = (style: Style, path: string, id: string): string => `${style.base}/${path}('${id}')`

const linkWriter = (world: World, plan: Plan, style: Style): ((row: Row, body: string) => string) => {
  const { settings } = world
  const { store, feed, name, describe, byName } = plan.kind
  const updated = byName.get('modifydate')
  const url = feed ? `,"$url":${JSON.stringify(urlOf(style, name, '')).slice(0, -3)}` : ''
  return (row, body) => {
    const id = idOf(store, row.ref)
    const key = settings.padIds || id.length < 12 ? keyText(id, settings) : id
    const head = `"$key":"${key}","$etag":"${etagOf(row)}"`
    if (style.compact) return `{${head}${body}}`
    const time = updated ? read(row, updated) : null
    const stamp = time === null ? '' : `,"$updated":${dateText(time as number, settings)}`
    const link = feed ? `${url}${id}')"` : ''
    return `{"$httpStatus":200,"$descriptor":${quote(describe(row))}${link},${head}${stamp}${body}}`
  }
}

const permissionsOf = (plan: Plan, login: Login): string => {
  const rules = login.restrictions.filter((rule) => rule.entity === plan.kind.entity)
  return JSON.stringify(rules.map(({ property, access }) => ({ name: property, access })))
}

/** Compiles a plan into a function from row to JSON text. */
export const entryWriter = (world: World, plan: Plan, style: Style, login: Login): Writer => {
  const { settings } = world
  const nothing = settings.nullRelation === 'object' ? '{}' : 'null'
  const scalars = plan.scalars.map((property) => ({
    head: `,"${property.name}":`,
    property,
    write: plan.blanked.has(property) ? () => 'null' : valueWriter(property, settings, plan.kind.entity),
  }))
  const nested = plan.nested.map(({ relation, plan: inner }) => ({
    relation,
    write: entryWriter(world, inner, style, login),
  }))
  const lists = plan.lists.map(({ collection, plan: inner }) => ({
    collection,
    inner,
    write: inner && entryWriter(world, inner, style, login),
  }))
  const permissions = plan.permissions ? `,"$permissions":${permissionsOf(plan, login)}` : ''
  const wrap = linkWriter(world, plan, style)
  const linkTo = (found: Row, name: string, from: Row): string => {
    const id = idOf(found.kind.store, found.ref)
    const key = `{"$key":${quote(keyText(id, settings))}`
    if (style.compact) return `${key}}`
    const own = `${urlOf(style, plan.kind.name, idOf(plan.kind.store, from.ref))}/${name}`
    const url = found.kind.feed ? urlOf(style, found.kind.name, id) : own
    const lookup = found.kind.feed ? `,"$lookup":${quote(`${style.base}/${found.kind.name}`)}` : ''
    return `${key},"$url":${quote(url)}${lookup},"$descriptor":${quote(found.kind.describe(found))}}`
  }
  return (row) => {
    let body = permissions
    for (const { head, property, write } of scalars) {
      const value = read(row, property)
      body += head + (value === null ? 'null' : write(value))
    }
    for (const relation of plan.links) {
      const found = related(world, relation, row)
      body += `,"${relation.name}":${found === undefined ? nothing : linkTo(found, relation.name, row)}`
    }
    for (const { relation, write } of nested) {
      const found = related(world, relation, row)
      body += `,"${relation.name}":${found === undefined ? nothing : write(found)}`
    }
    for (const { collection, inner, write } of lists) {
      const id = idOf(plan.kind.store, row.ref)
      if (inner === undefined || write === undefined) {
        body += `,"${collection.name}":{"$url":${quote(`${urlOf(style, plan.kind.name, id)}/${collection.name}`)}}`
        continue
      }
      const rows = rowsOf(world, collection.target, collection.by, id)
      body += `,"${collection.name}":{"$resources":[${rows.map(write).join(',')}]}`
    }
    return wrap(row, body)
  }
}

/** The rows of another kind that point to this id. */
export const rowsOf = (world: World, target: string, by: string, id: string): Row[] => {
  const kind = kindNamed(world, target)
  const path = by.endsWith('Id') && kind.byName.get(by.toLowerCase())?.hidden ? [by.slice(0, -2), 'Id'] : [by]
  const where = {
    is: 'compare' as const,
    by: 'eq' as const,
    left: { is: 'path' as const, path },
    right: { is: 'literal' as const, value: id },
  }
  return find(world, kind, { where, order: [], skip: 0, count: 1000 }).refs.map((ref) => rowOf(kind, ref))
}
