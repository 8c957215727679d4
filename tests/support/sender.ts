import { buildApp } from '../../src/api/app.ts'
import { openFairlead } from './fairlead.ts'
import { openMailServer } from './mail.ts'

/** All of Fairlead with a mail server that it sends by, and the API. */
export const openSender = async (people: { leads: number; contacts: number }) => {
  const mail = await openMailServer()
  const environment = { PUBLIC_URL: 'https://fairlead.example', SMTP_URL: mail.url }
  const fairlead = await openFairlead({ ...people, environment })
  const app = await buildApp({ ...fairlead.wiring, engineReady: async () => true } as never)
  return {
    fairlead,
    mail,
    app,
    async close() {
      await app.close()
      await fairlead.close()
      await mail.close()
    },
  }
}
