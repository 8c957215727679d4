const joined = (publicUrl: string, path: string): string => `${publicUrl.replace(/\/+$/, '')}${path}`

/** Where the very mail can be looked at (R33). */
export const previewUrl = (publicUrl: string, token: string): string => joined(publicUrl, `/p/${token}`)

/** R35: the page of the link, and what a mail program posts to. */
export const unsubscribeUrl = (publicUrl: string, token: string): string => joined(publicUrl, `/u/${token}`)
