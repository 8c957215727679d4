/** R2: trimmed, NFC-normalised, lower-cased, which can take a letter apart again; null for a blank one. The original is kept for display. */
export const normaliseEmail = (email: unknown): string | null => {
  if (typeof email !== 'string') return null
  const normal = email.normalize('NFC').trim().toLowerCase().normalize('NFC')
  return normal === '' ? null : normal
}
