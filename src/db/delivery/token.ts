import { randomBytes } from 'node:crypto'

/** R33: 192 random bits of the crypto generator, 32 characters of base64url. */
export const newToken = (): string => randomBytes(24).toString('base64url')
