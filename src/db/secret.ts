import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { FairleadError } from '../domain/errors.ts'

/** Encrypts secrets at rest. `context` binds a ciphertext to its row and purpose: moved elsewhere it does not open. */
export type SecretBox = {
  seal(plain: string, context: string): string
  open(sealed: string, context: string): string
  /** true when another key than the newest sealed it */
  isStale(sealed: string): boolean
}

/**
 * AES-256-GCM with named keys, as in FAIRLEAD_SECRET_KEYS: `id:base64,id:base64`. The first key seals, every key opens.
 * A sealed secret reads `v1.keyId.iv.tag.ciphertext`, each part base64url.
 */
export const createSecretBox = (keys: string): SecretBox => {
  const byId = new Map(
    keys.split(',').map((each) => {
      const [keyId = '', base64 = ''] = each.split(':')
      return [keyId, Buffer.from(base64, 'base64')] as const
    }),
  )
  const [newest] = byId.keys()
  if (newest === undefined) throw new FairleadError('secretUnreadable', { detail: 'FAIRLEAD_SECRET_KEYS is empty.' })

  return {
    seal(plain, context) {
      const iv = randomBytes(12)
      const cipher = createCipheriv('aes-256-gcm', byId.get(newest)!, iv).setAAD(Buffer.from(context))
      const text = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()])
      return ['v1', newest, ...[iv, cipher.getAuthTag(), text].map((part) => part.toString('base64url'))].join('.')
    },
    open(sealed, context) {
      const [version, keyId = '', iv = '', tag = '', text = ''] = sealed.split('.')
      const key = byId.get(keyId)
      if (version !== 'v1' || key === undefined) {
        throw new FairleadError('secretUnreadable', { detail: `A stored secret needs the key "${keyId}".` })
      }
      try {
        // Without its length a tag that was cut to four bytes, which can be guessed, would do.
        const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(iv, 'base64url'), { authTagLength: 16 })
          .setAAD(Buffer.from(context))
          .setAuthTag(Buffer.from(tag, 'base64url'))
        return decipher.update(Buffer.from(text, 'base64url'), undefined, 'utf8') + decipher.final('utf8')
      } catch {
        throw new FairleadError('secretUnreadable', { detail: `The key "${keyId}" does not open a stored secret.` })
      }
    },
    isStale: (sealed) => sealed.split('.')[1] !== newest,
  }
}

export const connectionContext = (connectionId: string): string => `connection:${connectionId}`
export const candidateContext = (connectionId: string): string => `candidate:${connectionId}`
export const webhookContext = (webhookId: string): string => `webhook:${webhookId}`
export const hashKeyContext = (accountId: string): string => `hashKey:${accountId}`
