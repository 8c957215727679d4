import type { FastifyInstance } from 'fastify'
import { errorTable } from '../domain/errors.ts'
import { escapeHtml } from '../domain/html.ts'

const rows = Object.entries(errorTable).map(
  ([code, { status, title, remedy }]) =>
    `<tr id="${code}"><th scope="row"><code>${code}</code></th><td>${status}</td><td>${escapeHtml(title)}</td><td>${escapeHtml(remedy)}</td></tr>`,
)

const html = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Fairlead: problems</title>
<style>body{font:16px/1.5 system-ui;margin:2rem;max-width:70rem}table{border-collapse:collapse}td,th{border-top:1px solid #ccc;padding:.4rem .8rem;text-align:left;vertical-align:top}:target{background:#fff3c4}</style>
</head>
<body><h1>Problems</h1>
<p>Every failure of the API is a problem (RFC 9457). Decide on its <code>code</code>, which never changes; show <code>detail</code> and <code>remedy</code> to people.</p>
<table><thead><tr><th scope="col">code</th><th scope="col">status</th><th scope="col">cause</th><th scope="col">remedy</th></tr></thead>
<tbody>${rows.join('\n')}</tbody></table>
</body></html>`

/** What `type` of a problem points at. */
export const addProblemsPage = (app: FastifyInstance): void => {
  app.get('/docs/problems', { schema: { hide: true } }, async (_request, reply) =>
    reply.type('text/html; charset=utf-8').send(html),
  )
}
