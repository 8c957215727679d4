import { isIPv4, isIPv6 } from 'node:net'

/** An IPv4 address that comes as an IPv6 one is that IPv4 address. */
const plain = (ip: string): string => /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(ip)?.[1] ?? ip

/** The eight groups of an IPv6 address, without leading zeros. */
const groupsOf = (ip: string): string[] => {
  const [head = '', tail = ''] = ip.toLowerCase().split('%')[0]!.split('::')
  const before = head.split(':').filter((part) => part !== '')
  const after = tail.split(':').filter((part) => part !== '')
  const blank = Array.from({ length: Math.max(0, 8 - before.length - after.length) }, () => '0')
  return [...before, ...blank, ...after].map((part) => part.replace(/^0+(?=.)/, ''))
}

/** An IPv4 address, or the first half of an IPv6 one: whoever has one has all of the second half. */
export const networkOf = (address: string): string => {
  const ip = plain(address)
  return isIPv6(ip) ? groupsOf(ip).slice(0, 4).join(':') : ip
}

/** What may be kept of an address: `192.0.2.0/24`, `2001:db8:1::/48`; null for what is none. */
export const shortNetworkOf = (address: string): string | null => {
  const ip = plain(address)
  if (isIPv4(ip)) return `${ip.split('.').slice(0, 3).join('.')}.0/24`
  return isIPv6(ip) ? `${groupsOf(ip).slice(0, 3).join(':')}::/48` : null
}
