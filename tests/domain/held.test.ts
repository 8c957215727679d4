import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeAgreed } from '../../src/db/sync/rows.ts'
import type { CrmField, CrmValue } from '../../src/domain/crm.ts'
import { decide, settle, type SyncColumn } from '../../src/domain/decide.ts'
import { applyEdits } from '../../src/domain/record.ts'
import type { Agreed } from '../../src/domain/sync.ts'
import { deedOf, endOf, setBack, type DeedEntry } from '../../src/domain/undo.ts'
import { readValues, sameValue } from '../../src/domain/values.ts'

const field = { name: 'Title', type: 'text', maxLength: null, readOnly: false } as CrmField
const at = '2026-11-26T10:00:00.000Z'
const value = fc.constantFrom<CrmValue>(null, 'a', 'b', 'c', 1, { bigDecimal: '12345678901234567.89' })
const flags = { pulled: fc.boolean(), fills: fc.boolean(), pushed: fc.boolean(), clears: fc.boolean() }
const columns = fc.record(flags).map((each): SyncColumn[] => [{ key: 'c8', field, ...each }])
const conflict = fc.constantFrom('crmWins' as const, 'latestWins' as const)

const property = <T extends [unknown, ...unknown[]]>(
  ...args: [...{ [K in keyof T]: fc.Arbitrary<T[K]> }, (...values: T) => void]
) => fc.assert(fc.property(...(args as unknown as [fc.Arbitrary<unknown>, (value: unknown) => void])), { numRuns: 500 })

describe('a held value', () => {
  test('is never sent, and taken over only when the CRM has changed it', () => {
    property(columns, value, value, fc.option(value, { nil: undefined }), conflict, (of, own, v, theirs, rule) => {
      const held: Agreed = { v, h: true, at }
      const ours = { fields: { c8: own }, agreed: { c8: held } }
      const decision = decide(of, ours, theirs === undefined ? {} : { Title: theirs, ModifyDate: at }, {
        conflict: rule,
        skewMs: 0,
      })
      expect(decision.send).toEqual({})
      expect(decision.conflicts).toBe(0)
      const ends = theirs !== undefined && sameValue(own, theirs)
      const follows = !ends && theirs !== undefined && !sameValue(v, theirs) && of[0]!.pulled
      expect(decision.patch).toEqual(follows ? { c8: theirs } : {})
      expect(decision.agreed).toEqual(ends || follows ? {} : { c8: held })
    })
  })

  test('becomes an ordinary edit when somebody edits it, and nothing when it is set to what the CRM has', () => {
    property(value, value, value, (own, v, next) => {
      const ours = { fields: { c8: own }, agreed: { c8: { v, h: true as const, at } } }
      const { patch, agreed } = applyEdits(ours, { c8: next }, { linked: true, bound: new Set(['c8']), at: 'later' })
      if (sameValue(own, next)) expect({ patch, agreed }).toEqual({ patch: {}, agreed: ours.agreed })
      else
        expect({ patch, agreed }).toEqual({
          patch: { c8: next },
          agreed: sameValue(v, next) ? {} : { c8: { v, at: 'later' } },
        })
    })
  })

  test('is stored and read as it is', () => {
    property(value, (v) => {
      const agreed = { c8: { v, h: true as const, at }, c9: { v, at } }
      expect(readValues(encodeAgreed(agreed))).toEqual(agreed)
    })
  })

  test('is what stays here when the CRM is set back, unless somebody has edited it: then the edit waits', () => {
    const send = { c8: { value: 'old', before: 'ours', conflict: false } }
    const of: SyncColumn[] = [{ key: 'c8', field, pulled: true, pushed: true, clears: false }]
    const after = (own: CrmValue, agreed: Record<string, Agreed>, stored: CrmValue = 'old') =>
      settle({ fields: { c8: own }, agreed }, { columns: of, send, stored: { Title: stored }, holds: true }, at)
    expect(after('ours', {})).toEqual({ patch: {}, agreed: { c8: { v: 'old', h: true, at } }, warnings: [] })
    expect(after('edited', { c8: { v: 'ours', at: 'then' } }).agreed).toEqual({ c8: { v: 'old', at: 'then' } })
    expect(after('old', {}).agreed).toEqual({})
    expect(after('ours', {}, 'OLD')).toMatchObject({
      agreed: { c8: { v: 'OLD', h: true } },
      warnings: [{ code: 'valueRewritten', field: 'Title' }],
    })
  })
})

const entry = (kind: DeedEntry['kind'], changes: DeedEntry['changes'], more: Partial<DeedEntry> = {}): DeedEntry => ({
  kind,
  code: null,
  crmEntity: 'lead',
  crmId: 'L1',
  changes,
  warnings: null,
  ...more,
})
const keys = { bound: new Set(['c8', 'c9']), system: new Set(['c5']) }

describe('what is set back here', () => {
  test('is what still is as the run left it, once, and the CRM’s value is what is held', () => {
    property(value, value, value, (before, after, own) => {
      const deed = deedOf([entry('updated', { c8: { before, after }, c5: { before: 'x', after: 'y' } })], false)!
      const ours = { fields: { c8: own, c5: 'y' }, agreed: {} }
      const first = setBack(ours, deed, keys, null, at)
      const { kind } = endOf(first, deed)
      if (sameValue(own, before)) expect(kind).toBe('unchanged')
      else if (sameValue(own, after)) {
        expect(kind).toBe('updated')
        expect(first).toMatchObject({ patch: { c8: before }, agreed: { c8: { v: after, h: true } } })
      } else expect([kind, first.left]).toEqual(['skipped', [{ code: 'changedSince', field: 'c8' }]])
      const now = { fields: { ...ours.fields, ...first.patch }, agreed: first.agreed }
      if (kind === 'updated') expect(endOf(setBack(now, deed, keys, null, at), deed).kind).toBe('unchanged')
    })
  })

  test('is not what waits to be pushed, nor what the CRM keeps by itself', () => {
    const deed = deedOf(
      [entry('updated', { c8: { before: 'a', after: 'b' }, c5: { before: 'x', after: 'y' } })],
      false,
    )!
    const result = setBack({ fields: { c8: 'b', c5: 'y' }, agreed: { c8: { v: 'c', at } } }, deed, keys, null, at)
    expect(result).toMatchObject({ patch: {}, left: [{ code: 'changedSince', field: 'c8' }] })
  })

  test('goes all the way back where the run has written a value several times', () => {
    const twice = [
      entry('updated', { c8: { before: 'a', after: 'b' } }),
      entry('updated', { c8: { before: 'b', after: 'c' } }),
    ]
    expect(deedOf(twice, false)!.here).toEqual({ c8: { before: 'a', after: 'c' } })
    const between = [
      entry('updated', { c8: { before: 'a', after: 'b' } }),
      entry('updated', { c8: { before: 'x', after: 'c' } }),
    ]
    expect(deedOf(between, false)!.here).toEqual({ c8: { before: 'x', after: 'c' } })
  })

  test('of a push is what it has taken over; the rest goes back in the CRM', () => {
    const deed = deedOf(
      [entry('updated', { c8: { before: 'a', after: 'b' }, c9: { before: '1', after: '2', side: 'here' } })],
      true,
    )!
    expect(deed).toMatchObject({
      there: { c8: { before: 'a', after: 'b' } },
      here: { c9: { before: '1', after: '2' } },
    })
    expect(deedOf([entry('skipped', null, { code: 'noEmail' })], true)).toBeUndefined()
  })
})
