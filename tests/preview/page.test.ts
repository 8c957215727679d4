import axe from 'axe-core'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { openApi, type TestApi } from '../support/api.ts'
import { browserMs, findBrowser } from '../support/browser.ts'
import { openDeliveries } from '../support/preview.ts'

let api: TestApi
let deliveries: ReturnType<typeof openDeliveries>
let browser: Browser
let base: string
/** a server of somebody else, and what was asked of it */
let foreign: string
const asked: string[] = []
const elsewhere = createServer((request, response) => {
  asked.push(request.url!)
  response
    .setHeader('content-type', 'image/svg+xml')
    .end('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')
})
let connections = 0
elsewhere.on('connection', () => (connections += 1))
const contexts: { close: () => Promise<void> }[] = []

beforeAll(async () => {
  api = await openApi()
  deliveries = openDeliveries(api)
  base = await api.app.listen({ host: '127.0.0.1', port: 0 })
  elsewhere.listen(0, '127.0.0.1')
  await once(elsewhere, 'listening')
  foreign = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}`
  browser = await chromium.launch({ executablePath: await findBrowser(), args: ['--no-sandbox'] })
}, browserMs)
afterAll(async () => {
  await browser.close()
  elsewhere.closeAllConnections()
  elsewhere.close()
  await api.close()
})
afterEach(async () => {
  for (const context of contexts.splice(0)) await context.close()
  asked.length = 0
})

const visit = async (path: string, options: BrowserContextOptions = {}): Promise<Page> => {
  const context = await browser.newContext({ locale: 'en-GB', ...options })
  contexts.push(context)
  const page = await context.newPage()
  await page.goto(`${base}${path}`)
  return page
}

/** What bodies of mails try. Each would ask the foreign server, or change the page. */
const hostile = (own: string): string => `<!doctype html><html><head>
<base href="${foreign}/base/" target="_top">
<meta http-equiv="refresh" content="0;url=${foreign}/refresh">
<link rel="stylesheet" href="${foreign}/style.css"><link rel="prefetch" href="${foreign}/prefetch"><link rel="preconnect" href="${foreign}"><link rel="dns-prefetch" href="${foreign}"><link rel="icon" href="${foreign}/icon">
<style>@import url(${foreign}/import.css); body{background:url(${foreign}/background)} @font-face{font-family:x;src:url(${foreign}/font)} p{font-family:x}</style>
<script>top.document.title = 'taken'; fetch('${foreign}/script')</script><script src="${foreign}/external.js"></script>
</head><body onload="fetch('${foreign}/onload')">
<p id="seen">The mail</p>
<img src="${foreign}/image" onerror="fetch('${foreign}/onerror')" srcset="${foreign}/set 2x">
<svg onload="fetch('${foreign}/svg')"><image href="${foreign}/svgimage"/><use href="${foreign}/use#x"/><foreignObject><iframe src="${foreign}/inner"></iframe></foreignObject><script>fetch('${foreign}/svgscript')</script></svg>
<math><mtext><table><mglyph><style><img src=x onerror="fetch('${foreign}/math')"></style></mglyph></table></mtext></math>
<iframe src="${foreign}/frame"></iframe><iframe srcdoc="<script>parent.fetch('${foreign}/srcdoc')</script>"></iframe>
<object data="${foreign}/object"></object><embed src="${foreign}/embed"><video src="${foreign}/video" poster="${foreign}/poster" autoplay></video><audio src="${foreign}/audio" autoplay></audio>
<form id="form" action="${foreign}/form" method="post"><input name="a" value="b"><button id="submit">Go</button><button id="formaction" formaction="${own}" formmethod="post" formtarget="_top">Go</button></form>
<a id="plain" href="${foreign}/plain" target="_self">plain</a> <a id="blank" href="${foreign}/blank" target="_blank" ping="${foreign}/ping">blank</a>
<a id="top" href="${foreign}/top" target="_top">top</a> <a id="parent" href="${foreign}/parent" target="_parent">parent</a> <a id="based" href="based">based</a>
<a id="script" href="javascript:fetch('${foreign}/javascript')" target="_self">script</a> <a id="data" href="data:text/html,<script>1</script>" target="_self">data</a>
<a id="own" href="${own}" target="_self">unsubscribe</a> <a id="ownTop" href="${own}" target="_top">unsubscribe</a> <a id="download" href="${foreign}/download" download target="_self">file</a>
<svg width="99" height="20"><a id="svgLink" href="${foreign}/svglink" target="_top"><text y="15">svg</text></a></svg>
<p><b><i>broken </b></i></p></div></main></body></html></html>
</iframe></textarea></title></style><script>parent.document.title = 'taken'</script>`

const clickable = [
  'submit',
  'formaction',
  'plain',
  'blank',
  'top',
  'parent',
  'based',
  'script',
  'data',
  'own',
  'ownTop',
  'download',
  'svgLink',
]

test('R33: a hostile mail is shown, and neither by itself nor by any click does a request leave or the page change', async () => {
  const made = await deliveries.make({ row: { email: 'victim@example.com' } })
  const { preview } = await deliveries.make({ html: hostile(`${base}${made.unsubscribe}`) })
  api.services.log.level = 'debug'
  const page = await visit(preview)
  await page.waitForLoadState('networkidle')
  // not even a connection is opened, by which the foreign server would know the reader's address
  expect([asked, connections]).toEqual([[], 0])
  let opened = 0
  page.context().on('page', () => (opened += 1))
  for (const id of clickable) {
    await page.goto(`${base}${preview}`)
    const frame = page.frameLocator('iframe')
    expect(await frame.locator('#seen').innerText(), id).toBe('The mail')
    await frame.locator(`#${id}`).click({ force: true, noWaitAfter: true })
    // a click that leads away does so before the page answers again
    await page.evaluate('new Promise((done) => requestAnimationFrame(() => setTimeout(done, 60)))')
    expect([id, page.url(), await page.title(), opened]).toEqual([id, `${base}${preview}`, 'Hello', 0])
    expect(await page.locator('h1').innerText(), id).toBe('Hello')
  }
  expect([asked, connections]).toEqual([[], 0])
  const answered = api.logged.join('')
  expect(answered).toContain('/p/:token/html')
  expect(answered).not.toContain('/u/:token')
  const [delivery] = await api.db.$client`select unsubscribed_at from deliveries where id = ${made.id}`
  expect(delivery!['unsubscribed_at']).toBeNull()
}, 60_000)

test('remote images load when somebody asks for them, without scripts, and nothing else does', async () => {
  const { preview } = await deliveries.make({ html: hostile(`${base}/u/x`) })
  const page = await visit(preview, { javaScriptEnabled: false })
  expect(asked).toEqual([])
  await page.click('text=Show images')
  await page.waitForLoadState('networkidle')
  expect(page.url()).toBe(`${base}${preview}?images=1`)
  // browsers allow prefetching from where anything may come
  const images = new Set(['/prefetch', '/background', '/image', '/set', '/svgimage', '/poster'])
  expect(asked.length).toBeGreaterThan(1)
  expect(asked.filter((url) => !images.has(url))).toEqual([])
})

test('a mail that is opened by itself ends at its page', async () => {
  const { preview } = await deliveries.make({ html: hostile(`${base}/u/x`) })
  const page = await visit(`${preview}/html`)
  expect(page.url()).toBe(`${base}${preview}`)
  expect(await page.frameLocator('iframe').locator('#seen').count()).toBe(1)
})

test('a person whose name and address are markup harms no page', async () => {
  const from = {
    name: '"><script>document.title=1</script>\u202E',
    email: 'x"><img src=x onerror=alert(1)>@example.com',
  }
  const row = { email: '</dd><script>document.title=2</script>@example.com' }
  const { preview, unsubscribe } = await deliveries.make({
    from,
    row,
    subject: '</title><script>document.title=3</script>',
  })
  const page = await visit(preview)
  expect(await page.title()).toBe('</title><script>document.title=3</script>')
  expect(await page.locator('script, img').count()).toBe(0)
  expect(await page.locator('dd').nth(1).innerText()).toBe(row.email)
  await page.goto(`${base}${unsubscribe}`)
  expect(await page.title()).toBe('Unsubscribe')
  expect(await page.locator('script, img').count()).toBe(0)
})

test('nothing is wider than a small screen, and axe finds nothing', async () => {
  const long = 'x'.repeat(300)
  const { preview, unsubscribe } = await deliveries.make({
    subject: long,
    text: long,
    row: { email: `${'y'.repeat(60)}@example.com` },
  })
  const revoked = await deliveries.make({ row: { previewRevokedAt: new Date(0) } })
  const page = await visit(preview, { bypassCSP: true, viewport: { width: 320, height: 640 } })
  for (const path of [
    preview,
    `${preview}?images=1`,
    `${preview}/text`,
    revoked.preview,
    '/p/x',
    '/p/test',
    unsubscribe,
    '/u/x',
  ]) {
    await page.goto(`${base}${path}`)
    expect(await page.evaluate('document.documentElement.scrollWidth'), path).toBeLessThanOrEqual(320)
    await page.evaluate(axe.source)
    const { violations } = (await page.evaluate('axe.run({ iframes: false })')) as axe.AxeResults
    expect(
      violations.map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html)]),
      path,
    ).toEqual([])
  }
})

test('R35: by keyboard alone and without scripts: unsubscribe, and back', async () => {
  const { unsubscribe } = await deliveries.make({ row: { email: 'keyboard@example.com' } })
  const page = await visit(unsubscribe, { javaScriptEnabled: false, locale: 'de-DE' })
  for (const heading of ['Sie sind abgemeldet', 'Sie sind wieder angemeldet', 'Sie sind abgemeldet']) {
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await page.locator('h1', { hasText: heading }).waitFor()
  }
  expect(await page.locator('main').innerText()).toContain('k•••@example.com')
})
