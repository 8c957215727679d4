import axe from 'axe-core'
import { once } from 'node:events'
import { createServer, request, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Form } from '../../src/db/form.ts'
import { openApi, type TestApi } from '../support/api.ts'
import { browserMs, findBrowser } from '../support/browser.ts'
import { openForms } from '../support/form.ts'

let api: TestApi
let pages: ReturnType<typeof openForms>
let browser: Browser
let base: string
let form: Form
const cleanUps: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  api = await openApi({ pages: { fastestMs: 0 } })
  pages = openForms(api)
  base = await api.app.listen({ host: '127.0.0.1', port: 0 })
  browser = await chromium.launch({ executablePath: await findBrowser(), args: ['--no-sandbox'] })
}, browserMs)
afterAll(async () => {
  await browser.close()
  await api.close()
})
beforeEach(async () => {
  form = await pages.make({ title: { en: 'Talk to us', de: 'Reden wir' }, thanks: { text: { en: 'We call you.' } } })
})
afterEach(async () => {
  for (const clean of cleanUps.splice(0)) await clean()
})

const visit = async (url: string, options: BrowserContextOptions = {}): Promise<Page> => {
  const context = await browser.newContext({ locale: 'en-GB', javaScriptEnabled: false, ...options })
  cleanUps.push(() => context.close())
  const page = await context.newPage()
  await page.goto(url)
  return page
}

const tabTo = async (page: Page, selector: string): Promise<void> => {
  for (let presses = 0; presses < 8; presses += 1) {
    await page.keyboard.press('Tab')
    if ((await page.locator(`${selector}:focus`).count()) > 0) return
  }
  throw new Error(`the keyboard does not come to ${selector}`)
}

/** A page of another site. */
const openSite = async (content: string): Promise<string> => {
  const site = createServer((_request, response) =>
    response.setHeader('content-type', 'text/html; charset=utf-8').end(`<!doctype html><title>Site</title>${content}`),
  ).listen(0, '127.0.0.1')
  await once(site, 'listening')
  cleanUps.push(async () => {
    site.closeAllConnections()
    site.close()
  })
  return `http://localhost:${(site.address() as AddressInfo).port}`
}

test('by keyboard alone and without scripts: from the first field over an error to the thanks', async () => {
  const page = await visit(`${base}/f/${form.key}?utm_campaign=autumn`)
  for (const [name, text] of [
    ['email', 'pat@example.com'],
    ['first', 'Pat'],
    ['last', 'Public'],
    ['phone', '030 1234'],
  ]) {
    await tabTo(page, `[name=${name}]`)
    await page.keyboard.type(text!)
  }
  await page.keyboard.press('Enter')
  await page.waitForSelector('[role=alert]:focus')
  expect(await page.title()).toBe('Error: Talk to us')
  const [topic] = await page.locator('[role=alert] li').allTextContents()
  expect(topic).toMatch(/^Topic: /)
  // the summary has the focus: its first link is next, and leads to the first button of the question
  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  await page.waitForSelector('[name=topic]:focus')
  await page.keyboard.press('ArrowDown')
  await tabTo(page, '[name=size]')
  await page.keyboard.press('ArrowDown')
  await tabTo(page, '[name=news][value=products]')
  await page.keyboard.press('Space')
  await tabTo(page, 'textarea')
  await page.keyboard.type('One\nTwo')
  await tabTo(page, '[name=agree]')
  await page.keyboard.press('Space')
  await tabTo(page, 'button')
  await page.keyboard.press('Enter')
  await page.waitForURL(`${base}/f/${form.key}/thanks?lang=en`)
  expect(await page.locator('main').innerText()).toBe('Thank you\n\nWe call you.')
  const [stored, ...others] = await pages.stored(form)
  expect(others).toEqual([])
  expect(stored!.answers).toMatchObject({
    email: 'pat@example.com',
    first: 'Pat',
    phone: '030 1234',
    topic: 'price',
    size: 'small',
    news: ['products'],
    text: 'One\nTwo',
    agree: true,
    campaign: 'autumn',
  })
})

test('lines of a help and of the thanks stay lines', async () => {
  const lines = 'One.\nTwo.'
  const fields = [{ name: 'email', type: 'email' as const, label: 'E-mail', help: lines }]
  const own = await pages.make({ fields, languages: ['en'], thanks: { text: lines } })
  const page = await visit(`${base}/f/${own.key}`)
  expect(await page.locator('.help').innerText()).toBe(lines)
  await page.goto(`${base}/f/${own.key}/thanks`)
  expect(await page.locator('main').innerText()).toBe(`Thank you\n\n${lines}`)
})

test('nothing is wider than a small screen, and axe finds nothing: empty, with errors, and when it is done', async () => {
  const page = await visit(`${base}/f/${form.key}`, {
    javaScriptEnabled: true,
    bypassCSP: true,
    viewport: { width: 320, height: 640 },
  })
  const look = async (what: string) => {
    expect(await page.evaluate('document.documentElement.scrollWidth'), what).toBeLessThanOrEqual(320)
    await page.evaluate(axe.source)
    const { violations, passes } = (await page.evaluate('axe.run()')) as axe.AxeResults
    expect(
      violations.map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html)]),
      what,
    ).toEqual([])
    expect(passes.length, what).toBeGreaterThan(8)
  }
  await look('empty')
  await page.fill('[name=first]', 'a'.repeat(500))
  await page.click('button')
  await page.waitForSelector('[role=alert]')
  await look('errors')
  await page.goto(`${base}/f/${form.key}/thanks`)
  await look('thanks')
  await page.goto(`${base}/f/nothing`)
  await look('no such form')
})

test('the policy of the page lets its own style in, and nothing else', async () => {
  const page = await visit(`${base}/f/${form.key}`, { javaScriptEnabled: true })
  const refused: string[] = []
  page.on('console', (message) => refused.push(message.text()))
  await page.reload()
  expect(refused).toEqual([])
  const colour = "getComputedStyle(document.querySelector('button')).backgroundColor"
  expect(await page.evaluate(colour)).toBe('rgb(11, 79, 168)')
  await page.evaluate(
    "document.body.append(Object.assign(document.createElement('script'), { text: 'document.title = 1' }))",
  )
  expect(await page.title()).toBe('Talk to us')
})

test('a plain form of another site is stored, and what is wrong with it comes back on our page', async () => {
  const site =
    await openSite(`<form method="post" action="${base}/f/${form.key}?utm_campaign=site" accept-charset="utf-8">
    <input name="email" value="pat@example.com"><input name="last" value="Pübliç"><input name="topic" value="demo">
    <input name="agree" type="checkbox" value="true"><button>Go</button></form>`)
  const page = await visit(site)
  await page.click('button')
  expect(await page.locator('[role=alert] li').allTextContents()).toEqual([expect.stringMatching(/^I agree: /)])
  await page.check('[name=agree]')
  await page.click('button')
  await page.waitForURL(/\/thanks/)
  await page.goto(site)
  await page.check('[name=agree]')
  await page.click('button')
  await page.waitForURL(/\/thanks/)
  const stored = await pages.stored(form)
  expect(stored.map(({ answers }) => [answers['last'], answers['campaign']])).toEqual([
    ['Pübliç', 'site'],
    ['Pübliç', 'site'],
  ])
})

test('a script of another site sends and reads the answer, and the page works in its frame', async () => {
  const own = await openSite(`<iframe title="Form" src="${base}/f/${form.key}"></iframe>`)
  const page = await visit(own, { javaScriptEnabled: true })
  const body = { email: 'pat@example.com', last: 'Public', topic: 'demo', agree: true }
  const answer = await page.evaluate(
    async ({ url, body }) => {
      const headers = { 'content-type': 'application/json' }
      const sent = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })
      return { status: sent.status, body: (await sent.json()) as unknown }
    },
    { url: `${base}/f/${form.key}`, body },
  )
  const [first] = await pages.stored(form)
  expect(answer).toEqual({ status: 202, body: { id: first!.id, state: 'received' } })
  const frame = page.frameLocator('iframe')
  await frame.locator('[name=email]').fill('pat@example.com')
  await frame.locator('[name=last]').fill('Framed')
  await frame.locator('[name=topic]').first().check()
  await frame.locator('[name=agree]').check()
  await frame.locator('button').click()
  await frame.getByText('We call you.').waitFor()
  expect(await pages.stored(form)).toHaveLength(2)
})

test('a form that only some origins may send is neither framed nor sent by others; its own page is', async () => {
  const own = await pages.make({ allowedOrigins: ['https://www.example.com'] })
  const site = await openSite(`<iframe title="Form" src="${base}/f/${own.key}"></iframe>
    <form method="post" action="${base}/f/${own.key}"><input name="email" value="pat@example.com"><button>Go</button></form>`)
  const page = await visit(site)
  expect(await page.frameLocator('iframe').locator('form').count()).toBe(0)
  await page.click('button')
  expect(await page.locator('main').innerText()).toContain('may not be sent from the page that you come from')
  await page.goto(`${base}/f/${own.key}`)
  await page.fill('[name=email]', 'pat@example.com')
  await page.fill('[name=last]', 'Public')
  await page.check('[name=topic]')
  await page.check('[name=agree]')
  await page.click('button')
  await page.waitForURL(/\/thanks/)
  expect(await pages.stored(own)).toHaveLength(1)
})

test('10 MB are refused before they have arrived', async () => {
  const size = 10 * 1024 * 1024
  for (const length of [{ 'content-length': size }, {}]) {
    const headers = { 'content-type': 'application/x-www-form-urlencoded', ...length }
    const sent = request(`${base}/f/${form.key}`, { method: 'POST', headers }).on('error', () => undefined)
    // the rest never comes
    sent.write('text='.padEnd(300 * 1024, 'x'))
    const [answer] = (await once(sent, 'response')) as [IncomingMessage]
    expect(answer.statusCode).toBe(413)
    sent.destroy()
  }
  expect(await pages.stored(form)).toEqual([])
})
