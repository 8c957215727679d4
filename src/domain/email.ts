/** R2: trimmed, NFC-normalised, lower-cased; null for a blank one. The original is kept for display. */
export const normaliseEmail = (email: unknown): string | null => {
  if (typeof email !== 'string') return null
  const normal = email.normalize('NFC').trim().toLowerCase()
  return normal === '' ? null : normal
}
