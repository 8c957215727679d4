import { array, assert, constantFrom, oneof, property, string } from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FairleadError, isFairleadError } from '../../src/domain/errors.ts'
import { compileMessage } from '../../src/mail/render.ts'

type Given = Partial<Parameters<typeof compileMessage>[0]>
const links = { unsubscribeUrl: 'https://f.example/u/abc', previewUrl: 'https://f.example/p/abc' }
const compile = (given: Given) => compileMessage({ subject: '', preheader: '', html: '', text: null, ...given })
const render = (given: Given, record: Record<string, string> = {}) => compile(given).render({ record, ...links })
const errorOf = (work: () => unknown): FairleadError => {
  try {
    work()
  } catch (error) {
    if (isFairleadError(error)) return error
    throw error
  }
  throw new Error('nothing was thrown')
}
const messageOf = (work: () => unknown): string => `${errorOf(work).code}: ${errorOf(work).message}`

const nasty = oneof(
  string({ unit: 'binary' }),
  string(),
  constantFrom(
    '<script>alert(1)</script>',
    '" onmouseover="alert(1)',
    "' onfocus='alert(1)",
    '--><img src=x onerror=alert(1)>',
    '</title><script>',
    'javascript:alert(1)',
    ' java\tscript:alert(1)',
    'a\r\nBcc: x@y.example',
    '{{ email }}{% raw %}',
    '\u0000\u2028\uD800',
    '&lt;b&gt;',
  ),
)

describe('G1: values of people are text, whatever they hold', () => {
  const html =
    '<html><head><title>{{ a }}</title></head><body class="x {{ a }}"><!-- {{ a }} --><p>{{ a }}|{{ a | upcase }}|{{ a | newline_to_br }}</p><a href="{{ a }}" title=\'{{ a }}\'>x</a></body></html>'
  const skeleton = (made: string): string => made.replaceAll(/<br>\n/g, '').replaceAll(/[^<>"']/g, '')

  test('they never become markup, and a subject never gets a second line', () => {
    const compiled = compile({ subject: 'Re: {{ a }}', html, preheader: '{{ a }} & <co>' })
    const plain = skeleton(compiled.render({ record: { a: 'plain' }, ...links }).html)
    assert(
      property(nasty, (a) => {
        const made = compiled.render({ record: { a }, ...links })
        expect(skeleton(made.html)).toBe(plain)
        expect(made.subject).not.toMatch(/[\p{Cc}\u2028\u2029]/u)
        expect(made.html.isWellFormed() && made.subject.isWellFormed() && made.text.isWellFormed()).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  test('nothing but an error of ours is thrown, whatever the template', () => {
    const piece = constantFrom(
      '{{ a }}',
      '{{ b }}',
      '{{ a | ',
      '{%',
      '%}',
      '{% if a %}',
      '{% endif %}',
      '{% for i in (1..3) %}',
      '{% endfor %}',
      '<a href="',
      '"',
      '>',
      '<',
      '<!--',
      '-->',
      '{{ a | divided_by: 0 }}',
      '{{ a | date: "%Y" }}',
      '{% raw %}',
      '{% endraw %}',
      '{% include "x" %}',
      '{{ a.b }}',
      '<script>',
      '</script>',
      '{{ a | size }}',
    )
    assert(
      property(array(oneof(piece, string()), { maxLength: 8 }), nasty, (pieces, a) => {
        const source = pieces.join('')
        try {
          render({ html: source, subject: source, text: source, preheader: source }, { a })
        } catch (error) {
          expect(error).toBeInstanceOf(FairleadError)
          expect(['templateInvalid', 'templateFailed', 'unknownPlaceholder']).toContain((error as FairleadError).code)
        }
      }),
      { numRuns: 500 },
    )
  })

  test('a link that begins with a value leads to pages, mailboxes and telephones only', () => {
    const href = (template: string, record: Record<string, string>) =>
      render({ html: `<a href="${template}">x</a>` }, record).html
    expect(href('{{ a }}', { a: 'javascript:alert(1)' })).toBe('<a href="#">x</a>')
    expect(href('{{ a }}', { a: ' java\tscript:alert(1)' })).toBe('<a href="#">x</a>')
    expect(href('{{ a }}', { a: 'data:text/html,x' })).toBe('<a href="#">x</a>')
    expect(href('{{ a }}{{ b }}', { a: 'javascript', b: ':alert(1)' })).toBe('<a href="javascript#">x</a>')
    expect(href('{% if a %}{{ a }}{% endif %}', { a: 'vbscript:x' })).toBe('<a href="#">x</a>')
    expect(href('{{ a }}', { a: 'https://x.example/?a=1&b=2' })).toBe('<a href="https://x.example/?a=1&amp;b=2">x</a>')
    expect(href('{{ a }}', { a: 'mailto:x@x.example' })).toBe('<a href="mailto:x@x.example">x</a>')
    expect(href('{{ a }}', { a: 'www.x.example/a:b' })).toBe('<a href="www.x.example/a:b">x</a>')
    const either = '{% if a %}{{ a }}{% else %}https://x.example/a:b{% endif %}'
    expect(href(either, { a: '' })).toBe('<a href="https://x.example/a:b">x</a>')
    expect(href('{{ a }}/x:y?t=1:2&amp;u=3', { a: 'https://x.example' })).toContain('https://x.example/x:y?t=1:2')
    expect(href('https://x.example/?q={{ a | url_encode }}', { a: 'a:b&c' })).toBe(
      '<a href="https://x.example/?q=a%3Ab%26c">x</a>',
    )
  })
})

describe('G1: templates that cannot be read, or could hurt, are refused when they are saved', () => {
  test.each([
    ['{% if a %}', 'templateInvalid: html: Line 1, column 1: '],
    ['a\n  {{ a | nothing }}', 'templateInvalid: html: Line 2, column 3: '],
    ['{{ a | raw }}', 'undefined filter: raw'],
    ['{% include "/etc/passwd" %}', 'tag "include" not found'],
    ['{% render "x" %}', 'tag "render" not found'],
    ['{% layout "x" %}', 'tag "layout" not found'],
    ['<script>var a = "{{ a }}"</script>', 'cannot be part of script'],
    ['<style>a { color: {{ a }} }</style>', 'cannot be part of style'],
    ['<p style="color: {{ a }}">', 'cannot be part of style'],
    ['<a href="{{ a }}:x">', 'Line 1, column 17: In the address of a link no colon may follow a placeholder'],
    ['<a href="{% if b %}{{ a }}{% endif %}SCR\nipt :x">', 'Line 2, column 5: In the address of a link no colon'],
    ['<a href="{{ a }}&#58;x">', 'no colon may follow a placeholder'],
    ['<a href="{{ a }}&colon;x">', 'no colon may follow a placeholder'],
    ['<p onclick="{{ a }}">', 'cannot be part of onclick'],
    ['<iframe srcdoc="{{ a }}">', 'cannot be part of srcdoc'],
    ['<a href={{ a }}>', 'Line 1, column 9: Put the value of the attribute into quotation marks.'],
    ['<{{ a }}>', 'cannot be part of a tag'],
    ['<p {{ a }}>', 'cannot be the name of an attribute'],
  ])('%s', (html, said) => {
    expect(messageOf(() => compile({ html }))).toContain(said)
  })

  test('a comment for Outlook is read as the HTML that it is', () => {
    const html = '<!--[if mso]><a href="{{ a }}">x</a><p style="{{ a }}"><![endif]-->'
    expect(messageOf(() => compile({ html }))).toContain('cannot be part of style')
    expect(render({ html: '<!--[if mso]><a href="{{ a }}">x</a><![endif]-->' }, { a: 'javascript:x' }).html).toContain(
      'href="#"',
    )
  })

  test('the place is named in every template', () => {
    expect(errorOf(() => compile({ subject: '{{ a' })).details.errors).toMatchObject([{ path: 'subject' }])
    expect(errorOf(() => compile({ text: '{{ a' })).details.errors).toMatchObject([{ path: 'text' }])
    expect(errorOf(() => compile({ preheader: '{{ a' })).details.errors).toMatchObject([{ path: 'preheader' }])
  })

  test('an endless template ends', () => {
    const html = `${'{% for i in (1..100000) %}'.repeat(3)}x${'{% endfor %}'.repeat(3)}`
    expect(errorOf(() => render({ html })).code).toBe('templateFailed')
  })
})

describe('G1: what people read', () => {
  test('a blank value has its fallback, an unknown one is an error with its name', () => {
    expect(render({ html: '{{ a | default: "friend" }}{% if a %}yes{% endif %}' }, { a: '' }).html).toBe('friend')
    expect(messageOf(() => render({ html: 'x\n{{ nobody }}' }))).toBe(
      'unknownPlaceholder: html: Line 2, column 4: undefined variable: nobody.',
    )
    expect(compile({ subject: '{{ a }}', html: '\n{% if b %}{{ a }}{% endif %}' }).placeholders()).toEqual([
      { name: 'a', part: 'subject', line: 1, column: 4 },
      { name: 'b', part: 'html', line: 2, column: 7 },
      { name: 'a', part: 'html', line: 2, column: 14 },
    ])
  })

  test('the preheader stands first in the body, and not in the text', () => {
    const { html, text } = render(
      {
        preheader: 'Tom & {{ a }}',
        html: '<!doctype html><html><head><title>t</title></head><body bgcolor="#fff"><p>Hi</p></body></html>',
      },
      { a: '<i>' },
    )
    expect(html).toMatch(/<body bgcolor="#fff"><div data-preheader="" [^>]*>Tom &amp; &lt;i&gt;<\/div><p>Hi<\/p>/)
    expect(text.trim()).toBe('Hi')
    expect(render({ preheader: 'x', html: '<p>Hi</p>' }).html).toMatch(/^<div data-preheader/)
    expect(render({ preheader: 'x', html: '<!doctype html><p>Hi</p>' }).html).toMatch(
      /^<!doctype html><div data-preheader/,
    )
  })

  test('without a text it is made of the HTML, with links; a text of its own is not escaped', () => {
    const html = '<p>Dear {{ a }},</p><a href="{{ unsubscribe_url }}">Unsubscribe</a>'
    expect(render({ html }, { a: 'O’Neill & Söhne' }).text).toBe(
      'Dear O’Neill & Söhne,\n\nUnsubscribe <https://f.example/u/abc>',
    )
    expect(render({ html, text: '{{ a }}\n{{ preview_url }}' }, { a: '<&>' }).text).toBe('<&>\nhttps://f.example/p/abc')
  })
})
