import { createHash } from 'node:crypto'
import { attributes, Html, markup } from '../form/pageHtml.ts'

const style = `
*{box-sizing:border-box}
html{color-scheme:light;background:#fff}
body{margin:0;font:1.0625rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;color:#1b1f24;overflow-wrap:anywhere}
main{max-width:60rem;margin:0 auto;padding:1.5rem 1rem 2rem}
main.mail{display:flex;flex-direction:column;min-height:100vh}
h1{font-size:1.5rem;line-height:1.25;margin:0 0 1rem}
p{margin:0 0 1rem}
dl{display:grid;grid-template-columns:auto minmax(0,1fr);gap:.125rem 1rem;margin:0 0 1rem}
dt{color:#505a66}
dd{margin:0}
nav ul{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;list-style:none;margin:0 0 .5rem;padding:0}
nav a,nav strong{display:inline-block;padding:.375rem 0;min-height:2rem}
a{color:#0b4fa8}
.note{color:#505a66;font-size:.9375rem}
iframe{flex:1;display:block;width:100%;min-height:34rem;border:1px solid #6b7683;background:#fff}
pre{font:inherit;white-space:pre-wrap;margin:0;padding:1rem;border:1px solid #6b7683}
button{font:inherit;font-weight:600;color:#fff;background:#0b4fa8;border:2px solid #0b4fa8;border-radius:.25rem;padding:.625rem 1.5rem;min-height:2.75rem;cursor:pointer}
button:hover{background:#083b7d}
button.second{color:#0b4fa8;background:#fff}
:focus-visible{outline:3px solid #e07000;outline-offset:2px}
`
const styleSource = `'sha256-${createHash('sha256').update(style).digest('base64')}'`

/** No script runs. `frames`: what may be shown in a frame; nothing else is fetched, so a link in it leads nowhere. */
export const pagePolicy = ({
  frames = [],
  posts = false,
}: { frames?: readonly string[]; posts?: boolean } = {}): string =>
  [
    "default-src 'none'",
    `style-src ${styleSource}`,
    `frame-src ${frames.length === 0 ? "'none'" : frames.join(' ')}`,
    "base-uri 'none'",
    `form-action ${posts ? "'self'" : "'none'"}`,
    "frame-ancestors 'self'",
  ].join('; ')

/** A page of ours around something of a mail. */
export const pageDocument = (language: string, title: string, content: Html, kind?: string): string =>
  markup`<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex, nofollow, noarchive">
<meta name="referrer" content="no-referrer">
<title>${title}</title>
<style>${new Html(style)}</style>
</head>
<body>
<main${attributes({ class: kind })}>
${content}
</main>
</body>
</html>
`.text

/** A page that only says something. */
export const noticePage = (language: string, [title, sentence]: readonly [string, string]): string =>
  pageDocument(
    language,
    title,
    markup`<h1>${title}</h1>
<p>${sentence}</p>`,
  )

/** Controls, and what turns the direction of writing: names and subjects come from anywhere. */
// oxlint-disable-next-line no-control-regex -- they are what is meant
const turning = /[\u200E\u200F\u061C\u202A-\u202E\u2066-\u2069]/g
// oxlint-disable-next-line no-control-regex -- they are what is meant
const controls = /[\u0000-\u001F\u007F-\u009F\u2028\u2029]+/g

/** A line as it may be shown anywhere, still to be escaped. */
export const shownLine = (text: string): string => text.replaceAll(turning, '').replaceAll(controls, ' ').trim()
