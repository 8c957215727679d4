import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import * as columns from '../../db/column.ts'
import * as forms from '../../db/form.ts'
import * as lists from '../../db/list.ts'
import * as submissions from '../../db/submission.ts'
import { actorOf } from '../auth.ts'
import { cutPage, readCursor, writeCursor } from '../cursor.ts'
import { Id, pageOf, PageQuery } from '../schemas.ts'
import type { Services } from '../services.ts'
import { FormChanges, FormParams, NewForm } from './input.ts'
import { Form, FormItem, formItem, formJson } from './json.ts'
import { readPicklists } from './picklists.ts'

const tags = ['Forms']
const problems = ['nameTaken', 'duplicateField', 'unknownField', 'secretField', 'fieldReadOnly'] as const

export const formRoutes: FastifyPluginAsyncZod<Services> = async (app, services) => {
  const { db, secrets, publicUrl } = services

  const show = async (form: forms.Form) => {
    const list = await lists.getEver(db, form.accountId, form.listId)
    return formJson(form, {
      list,
      columns: await columns.all(db, form.accountId, form.listId),
      live: (await columns.liveFields(db, form.accountId, list)) ?? {},
      counts: await submissions.countStates(db, form.id),
      publicUrl,
    })
  }

  app.get(
    '/forms',
    {
      config: { role: 'viewer', problems: ['invalidCursor'] },
      schema: { tags, summary: 'Forms', querystring: PageQuery, response: { 200: pageOf(FormItem) } },
    },
    async ({ caller: { accountId }, query: { limit, cursor } }) => {
      const scope = [accountId, 'forms']
      const after = readCursor(secrets, scope, cursor, Id)
      const rows = await forms.page(db, accountId, { limit: limit + 1, after })
      return cutPage(
        rows,
        limit,
        (row) => formItem(row, row.list, publicUrl),
        ({ id }) => writeCursor(secrets, scope, id),
      )
    },
  )

  app.post(
    '/forms',
    {
      config: { role: 'marketer', problems: ['notFound', ...problems] },
      schema: {
        tags,
        summary: 'Make a form',
        description:
          'With its list and the columns that its fields need, where these are not there yet. A form that pushes needs one e-mail field.',
        body: NewForm,
        response: { 201: Form },
      },
    },
    async ({ caller, id, body }, reply) => {
      await readPicklists(services, reply, caller.accountId, body.fields)
      const made = await forms.insert(db, caller.accountId, body, actorOf({ caller, id }))
      reply.code(201).header('location', `/v1/forms/${made.id}`)
      return show(made)
    },
  )

  app.get(
    '/forms/:formId',
    { config: { role: 'viewer' }, schema: { tags, summary: 'A form', params: FormParams, response: { 200: Form } } },
    async ({ caller, params: { formId } }) => show(await forms.get(db, caller.accountId, formId)),
  )

  app.patch(
    '/forms/:formId',
    {
      config: { role: 'marketer', problems: ['conflict', 'formClosed', ...problems] },
      schema: {
        tags,
        summary: 'Change, close or open a form',
        description:
          'What is left out stays; `fields` are given as a whole. Each change makes a version, and submissions keep the one that they were made with. What changes nothing makes none. `conflict` names the present version.',
        params: FormParams,
        body: FormChanges,
        response: { 200: Form },
      },
    },
    async ({ caller, id, params: { formId }, body }, reply) => {
      await readPicklists(services, reply, caller.accountId, body.fields)
      return show(await forms.update(db, caller.accountId, formId, body, actorOf({ caller, id })))
    },
  )

  app.delete(
    '/forms/:formId',
    {
      config: { role: 'marketer' },
      schema: {
        tags,
        summary: 'Remove a form',
        description:
          'Its address takes nothing more. Its list and its submissions stay; those that wait go on by themselves.',
        params: FormParams,
        response: { 204: z.undefined() },
      },
    },
    async ({ caller, id, params: { formId } }, reply) => {
      await forms.remove(db, caller.accountId, formId, actorOf({ caller, id }))
      return reply.code(204).send()
    },
  )
}
