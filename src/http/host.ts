import { BlockList, isIP, type LookupFunction } from 'node:net'
import { lookup } from 'node:dns'
import { FairleadError } from '../domain/errors.ts'

// R38: link-local ranges and the metadata services that live outside them (AWS, Alibaba, Oracle, Azure).
const forbidden = new BlockList()
forbidden.addSubnet('169.254.0.0', 16, 'ipv4')
for (const address of ['100.100.100.200', '192.0.0.192', '168.63.129.16']) forbidden.addAddress(address, 'ipv4')
forbidden.addSubnet('fe80::', 10, 'ipv6')
forbidden.addAddress('fd00:ec2::254', 'ipv6')
forbidden.addAddress('fd20:ce::254', 'ipv6')

const forbiddenNames = new Set([
  'metadata',
  'metadata.google.internal',
  'metadata.goog',
  'instance-data',
  'instance-data.ec2.internal',
])

// Prefixes that carry an IPv4 address in the following 32 bits: NAT64 (two), IPv4-compatible, SIIT; 6to4 is apart.
const carriers = [/^0064:ff9b:(0000:){4}/, /^0064:ff9b:0001:(0000:){3}/, /^(0000:){6}/, /^(0000:){4}ffff:0000:/]

const expand = (address: string): string => {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address)
  const plain = dotted
    ? `${dotted[1]}${((Number(dotted[2]) << 8) | Number(dotted[3])).toString(16)}:${((Number(dotted[4]) << 8) | Number(dotted[5])).toString(16)}`
    : address
  const [head = '', tail] = plain.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const gap = tail === undefined ? [] : Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => '0')
  return [...left, ...gap, ...right].map((group) => group.padStart(4, '0').toLowerCase()).join(':')
}

const toIpv4 = (high: string, low: string): string =>
  [high.slice(0, 2), high.slice(2), low.slice(0, 2), low.slice(2)].map((byte) => Number.parseInt(byte, 16)).join('.')

const embedded = (address: string): string | null => {
  const full = expand(address)
  const groups = full.split(':')
  if (full.startsWith('2002:')) return toIpv4(groups[1]!, groups[2]!)
  return carriers.some((prefix) => prefix.test(full)) ? toIpv4(groups[6]!, groups[7]!) : null
}

/** True for link-local and cloud metadata addresses in every spelling, also as IPv4 inside IPv6. `address` is an IP literal without brackets. */
export const isForbiddenAddress = (address: string): boolean => {
  const bare = address.split('%')[0]!
  if (isIP(bare) === 4) return forbidden.check(bare, 'ipv4')
  if (isIP(bare) !== 6) return false
  if (forbidden.check(bare, 'ipv6')) return true
  const inner = embedded(bare)
  return inner !== null && forbidden.check(inner, 'ipv4')
}

const refuse = (): FairleadError => new FairleadError('hostNotAllowed')

/** Decides by the host of a URL; throws hostNotAllowed. `allowedHosts` is CRM_ALLOWED_HOSTS: a comma list of names, `*.example.com`, `*`. */
export const createHostGuard = (allowedHosts: string): ((hostname: string) => void) => {
  const patterns = allowedHosts
    .split(',')
    .map((pattern) => pattern.trim().toLowerCase().replace(/\.$/, ''))
    .filter((pattern) => pattern !== '')
  const matches = (host: string, pattern: string): boolean =>
    pattern === '*' || pattern === host || (pattern.startsWith('*.') && host.endsWith(pattern.slice(1)))
  return (hostname) => {
    const host = hostname.toLowerCase().replace(/\.$/, '')
    const bare = host.replace(/^\[|\]$/g, '')
    if (isForbiddenAddress(bare) || forbiddenNames.has(host)) throw refuse()
    if (!patterns.some((pattern) => matches(host, pattern) || matches(bare, pattern))) throw refuse()
  }
}

type Resolve = typeof lookup

/** DNS look-up for sockets that refuses forbidden addresses at the moment of connecting, so that rebinding does not help. */
export const createLookup =
  (resolve: Resolve = lookup): LookupFunction =>
  (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, '', 0)
      if (addresses.some(({ address }) => isForbiddenAddress(address))) return callback(refuse(), '', 0)
      const [first] = addresses
      if (options.all || !first) return callback(null, addresses)
      callback(null, first.address, first.family)
    })
  }
