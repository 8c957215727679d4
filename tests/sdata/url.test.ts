import { describe, expect, test } from 'vitest'
import { Agent } from 'undici'
import { FairleadError, isFairleadError } from '../../src/domain/errors.ts'
import { fromSocket } from '../../src/sdata/http/failure.ts'
import { createHostGuard, createLookup, isForbiddenAddress } from '../../src/http/host.ts'
import { completeUrl, followRedirect } from '../../src/sdata/http/url.ts'
import { failure, openCrm } from './support.ts'

describe('C1: what people type as the address', () => {
  test.each([
    ['https://crm.example.com', 'https://crm.example.com/sdata'],
    ['  https://crm.example.com/  ', 'https://crm.example.com/sdata'],
    ['HTTPS://CRM.Example.com:8443', 'https://crm.example.com:8443/sdata'],
    ['https://crm.example.com:443/sdata/slx/dynamic/-/', 'https://crm.example.com/sdata'],
    ['https://crm.example.com/sdata', 'https://crm.example.com/sdata'],
    ['https://crm.example.com/SData/', 'https://crm.example.com/SData'],
    ['https://crm.example.com/sdata/slx', 'https://crm.example.com/sdata'],
    ["https://crm.example.com/sdata/slx/dynamic/-/leads('Q1')?format=json#top", 'https://crm.example.com/sdata'],
    ['http://10.0.2.2:8080/SlxClient/sdata', 'http://10.0.2.2:8080/SlxClient/sdata'],
    ['http://10.0.2.2/mysdata/slx/system/-/', 'http://10.0.2.2/mysdata'],
    [
      'https://ionapi.example.com/ACME_TST/CRMSData/sdata/slx/dynamic/-/',
      'https://ionapi.example.com/ACME_TST/CRMSData/sdata',
    ],
    ['https://crm.example.com/slxclient/slxdata.ashx/slx/dynamic/-/', 'https://crm.example.com/slxclient/slxdata.ashx'],
    ['http://[::1]:3333', 'http://[::1]:3333/sdata'],
  ])('%s becomes %s', (typed, root) => {
    expect(completeUrl(typed)[0]).toBe(root)
  })

  test('a typed SData root is the only candidate, a bare address has the web client’s folder as second', () => {
    expect(completeUrl('https://crm.example.com/sdata')).toHaveLength(1)
    expect(completeUrl('https://crm.example.com')).toEqual([
      'https://crm.example.com/sdata',
      'https://crm.example.com/SlxClient/sdata',
    ])
  })

  test('a page of the web client leads to SData below it, beside it and at the root', () => {
    expect(completeUrl('https://crm.example.com/SlxClient/Login.aspx?ReturnUrl=%2f')).toEqual([
      'https://crm.example.com/SlxClient/sdata',
      'https://crm.example.com/SlxClient',
      'https://crm.example.com/SlxClient/CRMSData/sdata',
      'https://crm.example.com/sdata',
    ])
  })

  test.each([
    'crm.example.com',
    'localhost:3333',
    'ftp://crm.example.com',
    'https://',
    'https:/crm',
    '',
    'https://admin:secret@crm.example.com',
  ])('%j is refused with invalidUrl and a sentence', async (typed) => {
    const error = await failure(openCrm(typed).check())
    expect(error.code).toBe('invalidUrl')
    expect(error.message).toMatch(/^The CRM address .*\.$/)
    expect(error.message).not.toContain('secret')
  })
})

describe('R38: hosts', () => {
  test.each([
    '169.254.169.254',
    '169.254.0.1',
    'fe80::1',
    'fe80::1%eth0',
    'febf::1',
    'fd00:ec2::254',
    '::ffff:169.254.169.254',
    '::ffff:a9fe:a9fe',
    '::169.254.169.254',
    '64:ff9b::a9fe:a9fe',
    '64:ff9b::169.254.169.254',
    '2002:a9fe:a9fe::1',
    '100.100.100.200',
  ])('%s is link-local or a metadata service', (address) => {
    expect(isForbiddenAddress(address)).toBe(true)
  })

  test.each([
    '127.0.0.1',
    '10.1.2.3',
    '192.168.1.1',
    '172.16.0.9',
    '::1',
    'fd12:3456::1',
    '::ffff:10.0.0.1',
    '169.253.1.1',
    '93.184.216.34',
    '2606:2800::1',
  ])('%s is allowed', (address) => {
    expect(isForbiddenAddress(address)).toBe(false)
  })

  test.each([
    'http://169.254.169.254/sdata',
    'http://2852039166/sdata',
    'http://0xa9fea9fe/sdata',
    'http://0251.0376.0251.0376/sdata',
    'http://169.254.43518/sdata',
    'http://[::ffff:169.254.169.254]/sdata',
    'http://[fe80::1]/sdata',
    'http://[fd00:ec2::254]/sdata',
    'http://metadata.google.internal/sdata',
    'http://METADATA.google.internal./sdata',
  ])('%s is refused before a connection is made', async (url) => {
    expect((await failure(openCrm(url).check())).code).toBe('hostNotAllowed')
  })

  test('a name that resolves to a forbidden address is refused while connecting, so that rebinding does not help', async () => {
    const answers = [['10.0.0.1'], ['10.0.0.1', '169.254.169.254'], ['fe80::1'], ['::ffff:169.254.169.254']]
    const codes = answers.map(
      (addresses) =>
        new Promise<unknown>((resolve) => {
          const lookup = createLookup(((
            _name: string,
            _options: object,
            callback: (error: null, found: object[]) => void,
          ) =>
            callback(
              null,
              addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
            )) as never)
          lookup('crm.example.com', { all: true }, (error, found) =>
            resolve(isFairleadError(error) ? error.code : found),
          )
        }),
    )
    expect(await Promise.all(codes)).toEqual([
      [{ address: '10.0.0.1', family: 4 }],
      'hostNotAllowed',
      'hostNotAllowed',
      'hostNotAllowed',
    ])
  })

  test('what the lookup refuses reaches the caller as hostNotAllowed through sockets', async () => {
    const agent = new Agent({
      connect: { lookup: (_name, _options, callback) => callback(new FairleadError('hostNotAllowed'), '', 0) },
    })
    const error = await agent.request({ origin: 'http://crm.example.com', path: '/', method: 'GET' }).catch(fromSocket)
    expect(error).toMatchObject({ code: 'hostNotAllowed' })
    await agent.close()
  })

  const allows = (list: string, host: string): boolean => {
    try {
      createHostGuard(list)(host)
      return true
    } catch (error) {
      if (isFairleadError(error)) return false
      throw error
    }
  }

  test('CRM_ALLOWED_HOSTS is a list of names, with * for all and *.example.com for a domain', () => {
    expect(allows('*', 'anything.example')).toBe(true)
    expect(allows('crm.example.com, other.example', 'CRM.example.com')).toBe(true)
    expect(allows('crm.example.com', 'crm.example.com.evil.example')).toBe(false)
    expect(allows('*.example.com', 'crm.example.com')).toBe(true)
    expect(allows('*.example.com', 'example.com')).toBe(false)
    expect(allows('*.example.com', 'notexample.com')).toBe(false)
    expect(allows('127.0.0.1,::1', '[::1]')).toBe(true)
    expect(allows('', 'crm.example.com')).toBe(false)
    expect(allows('*', '169.254.169.254')).toBe(false)
  })
})

describe('redirects (R38)', () => {
  const from = new URL('http://crm.example.com/sdata/slx/system/-/')
  const refused = (location: string, start = from): boolean => {
    try {
      followRedirect(start, location, 302)
      return false
    } catch (error) {
      return isFairleadError(error) && error.code === 'redirectRefused'
    }
  }

  test('lead from http to https and to other paths of the same host', () => {
    expect(followRedirect(from, 'https://CRM.example.com/sdata/slx/system/-/', 301).href).toBe(
      'https://crm.example.com/sdata/slx/system/-/',
    )
    expect(followRedirect(from, '/other', 302).href).toBe('http://crm.example.com/other')
  })

  test('never lead to another host, another port, back to http, or to nonsense', () => {
    expect(refused('https://evil.example/sdata')).toBe(true)
    expect(refused('http://crm.example.com:8080/sdata')).toBe(true)
    expect(refused('//evil.example/x')).toBe(true)
    expect(refused('http://crm.example.com/', new URL('https://crm.example.com/'))).toBe(true)
    expect(refused('http://[broken')).toBe(true)
    expect(refused('file:///etc/passwd')).toBe(true)
  })
})
