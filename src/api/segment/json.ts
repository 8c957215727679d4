import { z } from 'zod'
import type * as segments from '../../db/segment.ts'
import { Filter } from '../filter.ts'
import { Id, Instant, instant, Name } from '../schemas.ts'

const example = { column: 'Address/City', operator: 'is', value: 'Springfield' }
const Version = z
  .number()
  .int()
  .min(1)
  .max(2 ** 31 - 1)

const Problem = z.object({
  path: z.string(),
  message: z.string(),
  column: z.string().meta({ description: 'the last known name of the column' }),
})

const shown = {
  name: z.string(),
  /** names columns as they are called now */
  filter: Filter,
  version: Version.meta({ description: 'rises with each change' }),
  problems: z.array(Problem).meta({
    description: 'why the filter fits the list no more; while there are any, the segment answers `segmentBroken`',
  }),
}

export const Segment = z.object({ id: Id, listId: Id, ...shown, createdAt: Instant, updatedAt: Instant }).meta({
  id: 'Segment',
  description: 'A saved filter over one list',
  examples: [
    {
      id: '019ab3c4-7a00-7000-8000-667788990011',
      listId: '019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071',
      name: 'Springfield',
      filter: example,
      version: 1,
      problems: [],
      createdAt: '2026-11-23T10:00:00.000Z',
      updatedAt: '2026-11-23T10:00:00.000Z',
    },
  ],
})
type Segment = z.infer<typeof Segment>

export const SegmentVersion = z
  .object({
    ...shown,
    apiKeyId: Id.nullable().meta({ description: 'who saved it' }),
    createdAt: Instant,
  })
  .meta({
    id: 'SegmentVersion',
    examples: [
      {
        name: 'Springfield',
        filter: example,
        version: 1,
        problems: [],
        apiKeyId: '019ab3c4-5100-7000-8000-223344556677',
        createdAt: '2026-11-23T10:00:00.000Z',
      },
    ],
  })
type SegmentVersion = z.infer<typeof SegmentVersion>

export const NewSegment = z
  .strictObject({ name: Name, filter: Filter })
  .meta({ id: 'NewSegment', examples: [{ name: 'Springfield', filter: example }] })

export const SegmentChanges = z
  .strictObject({
    version: Version.meta({ description: 'as it was read; when the segment has changed since, nothing is written' }),
    name: Name.optional(),
    filter: Filter.optional(),
  })
  .refine(({ name, filter }) => name !== undefined || filter !== undefined, 'names nothing to change')
  .meta({ id: 'SegmentChanges', examples: [{ version: 1, name: 'Springfield and around' }] })

const Use = z.object({ kind: z.enum(['schedule', 'message']), id: Id, name: z.string() })
export const RemovedSegment = z
  .object({ usedBy: z.array(Use).meta({ description: 'what used the segment' }) })
  .meta({ id: 'RemovedSegment', examples: [{ usedBy: [] }] })

type Show = (definition: segments.Segment['definition']) => segments.Shown

export const segmentJson = (segment: segments.Segment, show: Show): Segment => {
  const { id, listId, name, version, definition, createdAt, updatedAt } = segment
  return {
    id,
    listId,
    name,
    version,
    ...show(definition),
    createdAt: instant(createdAt),
    updatedAt: instant(updatedAt),
  }
}

export const versionJson = (saved: segments.Version, show: Show): SegmentVersion => {
  const { name, version, definition, apiKeyId, createdAt } = saved
  return { name, version, ...show(definition), apiKeyId, createdAt: instant(createdAt) }
}
