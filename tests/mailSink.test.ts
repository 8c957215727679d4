import { mkdtempSync, readdirSync } from 'node:fs'
import { createServer } from 'node:http'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createTransport } from 'nodemailer'
import { chromium, type Browser, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startMailSink, type MailSink } from '../src/embedded/mail.ts'
import { browserMs, findBrowser } from './support/browser.ts'

let sink: MailSink
let browser: Browser
let page: Page
const asked: string[] = []
/** the rest of the world: whoever asks it for something has broken out */
const outside = createServer(({ url = '' }, response) => {
  asked.push(url)
  response.end('outside')
})
let outsideUrl = ''

const folder = () => mkdtempSync(join(tmpdir(), 'mail-sink-'))
const send = async ({ port }: MailSink, mail: object) => {
  const transport = createTransport({ host: '127.0.0.1', port, secure: false, ignoreTLS: true })
  await transport.sendMail({ from: 'Fairlead <fairlead@example.com>', to: 'Pat <pat@example.com>', ...mail })
  transport.close()
}

beforeAll(async () => {
  await new Promise<void>((resolve) => outside.listen(0, '127.0.0.1', resolve))
  outsideUrl = `http://127.0.0.1:${(outside.address() as { port: number }).port}`
  sink = await startMailSink({ dir: folder() })
  browser = await chromium.launch({ executablePath: await findBrowser(), args: ['--no-sandbox'] })
  page = await browser.newPage({ viewport: { width: 320, height: 700 } })
}, browserMs)
afterAll(async () => {
  await browser.close()
  await sink.stop()
  outside.close()
})

describe('O1: the page of the mail sink', () => {
  test('lists mails, newest first, fifty a page, and shows one', async () => {
    for (let n = 1; n <= 52; n += 1) await send(sink, { subject: `Number ${n}`, text: 'Hello' })
    await send(sink, {
      subject: 'Grüße <b>an</b> alle',
      html: '<h1>Good day</h1><p><a href="https://example.com/u/abc?a=1&amp;b=2">Unsubscribe</a></p>',
      text: 'Good day, in text',
      attachments: [{ filename: 'Übersicht.csv', content: 'a,b' }],
    })
    await page.goto(sink.pageUrl)
    expect(await page.locator('.mails a').count()).toBe(50)
    expect(await page.locator('.mails a').first().textContent()).toBe('Grüße <b>an</b> alle')
    expect(await page.locator('.mails li').first().textContent()).toContain('pat@example.com')
    await page.click('text=Older')
    expect(await page.locator('.mails a').allTextContents()).toEqual(['Number 3', 'Number 2', 'Number 1'])
    await page.click('nav >> text=Newest')
    await page.locator('.mails a').first().click()
    expect(await page.locator('h1').textContent()).toBe('Grüße <b>an</b> alle')
    expect(await page.frameLocator('iframe').locator('h1').textContent()).toBe('Good day')
    expect(await page.locator('#text + pre').textContent()).toContain('Good day, in text')
    expect(await page.locator('[aria-labelledby=links] a').getAttribute('href')).toBe(
      'https://example.com/u/abc?a=1&b=2',
    )
    expect(await page.locator('#headers + pre').textContent()).toMatch(/Message-ID: </)
    // no sideways scrolling at 320 px
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(320)
    const file = await fetch(
      new URL((await page.locator('[aria-labelledby=files] a').getAttribute('href'))!, sink.pageUrl),
    )
    expect([await file.text(), file.headers.get('content-type')]).toEqual(['a,b', 'application/octet-stream'])
    const source = await fetch(
      new URL((await page.locator('text=Download the source').getAttribute('href'))!, sink.pageUrl),
    )
    expect(source.headers.get('content-disposition')).toMatch(/^attachment/)
    expect(await source.text()).toContain('Message-ID: <')
    if (process.env['SCREENSHOTS']) {
      await page.screenshot({ path: join(process.env['SCREENSHOTS'], 'mail-narrow.png'), fullPage: true })
      await page.setViewportSize({ width: 1100, height: 800 })
      await page.screenshot({ path: join(process.env['SCREENSHOTS'], 'mail-wide.png'), fullPage: true })
      await page.goto(sink.pageUrl)
      await page.screenshot({ path: join(process.env['SCREENSHOTS'], 'mails-wide.png') })
      await page.setViewportSize({ width: 320, height: 700 })
      await page.screenshot({ path: join(process.env['SCREENSHOTS'], 'mails-narrow.png') })
    }
  })

  test('a hostile mail runs nothing, loads nothing and leads nowhere', async () => {
    const evil = `
      <script>fetch('${outsideUrl}/script'); parent.document.title = 'owned'</script>
      <img src="${outsideUrl}/image.png" onerror="fetch('${outsideUrl}/error')"><link rel="stylesheet" href="${outsideUrl}/style.css">
      <style>@import url(${outsideUrl}/import.css); body { background: url(${outsideUrl}/background.png) }</style>
      <meta http-equiv="refresh" content="0; url=${outsideUrl}/refresh"><iframe src="${outsideUrl}/frame"></iframe>
      <form action="${outsideUrl}/form"><button id="send">Send</button></form>
      <a id="out" href="${outsideUrl}/link">away</a><a id="top" target="_top" href="${outsideUrl}/top">away</a><a href="javascript:alert(1)">js</a>
      <base href="${outsideUrl}/"><video src="${outsideUrl}/video" autoplay></video><p id="end">The end`
    await send(sink, {
      subject: '"><script>document.title="owned"</script>',
      html: evil,
      to: '"<img src=x onerror=alert(1)>" <e@example.com>',
    })
    const dialogs: string[] = []
    page.on('dialog', (dialog) => {
      dialogs.push(dialog.message())
      void dialog.dismiss()
    })
    await page.goto(sink.pageUrl)
    await page.locator('.mails a').first().click()
    const frame = page.frameLocator('iframe[title="The mail as HTML"]')
    expect(await frame.locator('#end').textContent()).toContain('The end')
    for (const id of ['#send', '#top', '#out'])
      await frame
        .locator(id)
        .click({ noWaitAfter: true, timeout: 2000 })
        .catch(() => undefined)
    await page.reload()
    await frame.locator('#end').textContent()
    expect(await page.title()).toBe('"><script>document.title="owned"</script>')
    expect([asked, dialogs]).toEqual([[], []])
    expect(await page.locator('[aria-labelledby=links] a').allTextContents()).not.toContain('javascript:alert(1)')
    // opened by itself it is no less harmless
    const [name] = readdirSync(sink.dir).sort().reverse()
    await page.goto(`${sink.pageUrl}/mails/${name}/html`)
    await page.locator('#end').textContent()
    expect(asked).toEqual([])
  })

  test('shows nothing else: unknown mails, paths out of the folder, other hosts, writes', async () => {
    for (const path of ['/mails/x.eml', '/mails/..%2f..%2fapi-key', '/mails/%2e%2e/api-key', '/other', '/mails/'])
      expect([path, (await fetch(`${sink.pageUrl}${path}`)).status]).toEqual([path, 404])
    expect((await fetch(sink.pageUrl, { method: 'POST' })).status).toBe(404)
    const { port } = new URL(sink.pageUrl)
    const status = await new Promise((resolve) =>
      request({ port, host: '127.0.0.1', headers: { host: 'evil.example' } }, (answer) => {
        answer.resume()
        resolve(answer.statusCode)
      }).end(),
    )
    expect(status).toBe(404)
  })

  test('keeps so many mails and no more, also over a restart', async () => {
    const dir = folder()
    const small = await startMailSink({ dir, most: 3 })
    for (let n = 1; n <= 5; n += 1) await send(small, { subject: `Number ${n}`, text: 'Hello' })
    await small.stop()
    expect(readdirSync(dir)).toHaveLength(3)
    const again = await startMailSink({ dir, most: 2 })
    const text = await (await fetch(again.pageUrl)).text()
    await again.stop()
    expect([...text.matchAll(/Number \d/g)].map(String)).toEqual(['Number 5', 'Number 4'])
  })
})
