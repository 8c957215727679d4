import type { FastifyReply, FastifyRequest } from 'fastify'
import { beginFailure } from '../errors.ts'
import { chooseLanguage } from '../form/pageLanguage.ts'
import { noticePage, pagePolicy } from './pageDocument.ts'
import { previewText } from './pageText.ts'

const features =
  'accelerometer autoplay camera display-capture encrypted-media fullscreen geolocation gyroscope magnetometer microphone midi payment picture-in-picture publickey-credentials-get screen-wake-lock usb web-share xr-spatial-tracking'

/** All of them are said here, whatever came before: an address that is too long for a route has the same ones. */
const headers = {
  'cache-control': 'no-store',
  'cross-origin-resource-policy': 'same-origin',
  'origin-agent-cluster': '?1',
  'permissions-policy': features
    .split(' ')
    .map((each) => `${each}=()`)
    .join(', '),
  'referrer-policy': 'no-referrer',
  vary: 'Accept-Language',
  'x-content-type-options': 'nosniff',
  'x-dns-prefetch-control': 'off',
  'x-download-options': 'noopen',
  'x-frame-options': 'SAMEORIGIN',
  'x-permitted-cross-domain-policies': 'none',
  'x-robots-tag': 'noindex, nofollow, noarchive',
  'x-xss-protection': '0',
}

/** In the reader's language, as far as there is one. */
export const languageFor = ({ headers }: FastifyRequest): string =>
  chooseLanguage(['en', 'de'], undefined, headers['accept-language'])

/** `policy`: of ours, unless a mail is shown. */
export const sendPage = (
  request: FastifyRequest,
  reply: FastifyReply,
  status: number,
  page: string,
  policy = pagePolicy(),
): FastifyReply =>
  reply
    .code(status)
    .type('text/html; charset=utf-8')
    .headers({
      ...headers,
      'content-language': languageFor(request),
      'content-security-policy': policy,
      'cross-origin-opener-policy': 'same-origin',
    })
    .serializer(String)
    .send(page)

/**
 * The bytes of a mail, and nothing of ours. They are harmless by themselves: sandboxed wherever they are opened. No opener policy, which browsers
 * refuse together with a sandbox.
 */
export const sendMail = (reply: FastifyReply, html: Buffer, { images }: { images: boolean }): FastifyReply =>
  reply
    .code(200)
    .type('text/html; charset=utf-8')
    .headers({
      ...headers,
      'content-security-policy': [
        'sandbox',
        "default-src 'none'",
        "style-src 'unsafe-inline'",
        `img-src data:${images ? ' https: http:' : ''}`,
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'self'",
      ].join('; '),
      // a content policy does not stop preconnect, by which a server learns who looks; browsers that know this header do
      ...(images ? {} : { 'connection-allowlist': '(response-origin)' }),
      'cross-origin-opener-policy': 'unsafe-none',
    })
    .send(html)

/** A failure as a page. */
export const sendPageFailure = (thrown: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
  const { code, status } = beginFailure(thrown, request, reply)
  const language = languageFor(request)
  const { failed, tooManyRequests, faults } = previewText(language)
  const said = code === 'notFound' ? faults.unknown : code === 'tooManyRequests' ? tooManyRequests : failed
  return sendPage(request, reply, status, noticePage(language, said))
}
