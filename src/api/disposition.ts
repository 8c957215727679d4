/** Characters that RFC 8187 lets stand as they are. */
const encode = (text: string): string =>
  encodeURIComponent(text).replaceAll(/['()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)

/** What no file system likes in a name. */
// oxlint-disable-next-line no-control-regex
const unsafe = /[\u0000-\u001f\u007f-\u009f"\\/:*?<>|%;]+/g

/** `Content-Disposition` (RFC 6266) for a file that is called after something people named. */
export const attachment = (name: string, extension: string): string => {
  const clean =
    name.toWellFormed().replaceAll(unsafe, ' ').replaceAll(/\s+/g, ' ').trim().replaceAll(/^\.+/g, '') || 'download'
  const short = clean.slice(0, 100).toWellFormed().trim()
  const plain =
    short
      .normalize('NFKD')
      .replaceAll(/[^\x20-\x7e]/g, '')
      .trim() || 'download'
  return `attachment; filename="${plain}.${extension}"; filename*=UTF-8''${encode(`${short}.${extension}`)}`
}
