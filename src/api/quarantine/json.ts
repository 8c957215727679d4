import { z } from 'zod'
import type * as quarantine from '../../db/quarantine.ts'
import { causeOf } from '../../domain/cause.ts'
import { CrmSaid, Id, Instant, instant, pageOf, PageQuery, text } from '../schemas.ts'

const listId = '019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071'
const recordId = '019ab3c4-7000-7000-8000-66778899aabb'
const Code = text(64).min(1)
const Detail = text(500).meta({
  description: 'tells causes of one code apart: the CRM’s own code and field, or the fields that are missing',
})

export const QuarantineGroup = z
  .object({
    list: z.object({ id: Id, name: z.string() }),
    code: z.string(),
    detail: Detail,
    message: z.string(),
    remedy: z.string(),
    said: CrmSaid.nullable().meta({ description: 'what the CRM itself said last' }),
    count: z.number().int(),
    since: Instant,
    sampleRecordIds: z.array(Id).meta({ description: 'a few of the records' }),
  })
  .meta({
    id: 'QuarantineGroup',
    description: 'Records of a list that are not tried, since each was rejected for one cause in three runs',
    examples: [
      {
        list: { id: listId, name: 'All Infor CRM Leads' },
        code: 'crmRefused',
        detail: 'ApplicationDiagnosis LastName',
        message: causeOf('crmRefused').message,
        remedy: causeOf('crmRefused').remedy,
        said: { status: 400, code: 'ApplicationDiagnosis', message: 'LastName is required.', field: 'LastName' },
        count: 200,
        since: '2026-11-23T10:00:00.000Z',
        sampleRecordIds: [recordId],
      },
    ],
  })

export const groupJson = (group: quarantine.Group): z.infer<typeof QuarantineGroup> => {
  const { listId: id, listName: name, code, detail, said, count, since, sampleRecordIds } = group
  return { list: { id, name }, code, detail, ...causeOf(code), said, count, since: instant(since), sampleRecordIds }
}

export const QuarantinedRecord = z
  .object({ recordId: Id, entryId: Id, code: z.string(), detail: Detail, since: Instant })
  .meta({
    id: 'QuarantinedRecord',
    examples: [
      {
        recordId,
        entryId: '019ab3c4-7100-7000-8000-778899aabbcc',
        code: 'requiredMissing',
        detail: 'Company',
        since: '2026-11-23T10:00:00.000Z',
      },
    ],
  })

export const recordJson = ({ parkedAt, ...row }: quarantine.ParkedRecord): z.infer<typeof QuarantinedRecord> => ({
  ...row,
  since: instant(parkedAt),
})

export const GroupQuery = PageQuery.extend({ listId: Id.optional() })
export const RecordQuery = PageQuery.extend({ listId: Id, code: Code, detail: Detail.default('') })
export const Groups = pageOf(QuarantineGroup)
export const Records = pageOf(QuarantinedRecord)
export const GroupKey = z.object({ listId: Id, code: z.string(), detail: z.string() })

export const Release = z
  .strictObject({
    listId: Id.optional(),
    code: Code.optional(),
    detail: Detail.optional(),
    recordIds: z.array(Id).min(1).max(1000).optional(),
  })
  .refine(
    (asked) => Object.values(asked).some((value) => value !== undefined),
    'names what is released by at least one of listId, code, detail and recordIds',
  )
  .meta({ id: 'Release', examples: [{ listId, code: 'crmRefused' }] })

export const Released = z.object({ released: z.number().int() }).meta({ id: 'Released', examples: [{ released: 200 }] })
