import { alertActivities } from './alert.ts'
import { beating } from './beat.ts'
import { connectionActivities } from './connection.ts'
import type { Dependencies } from './dependencies.ts'
import { formActivities } from './form.ts'
import { housekeepingActivities } from './housekeeping.ts'
import { importActivities } from './import.ts'
import { noteActivities } from './note.ts'
import { messageActivities } from './message.ts'
import { messageTestActivities } from './message/test.ts'
import { optOutActivities } from './optOut.ts'
import { runActivities } from './run.ts'
import { scheduleActivities } from './schedule.ts'
import { sweepActivities } from './sweep.ts'
import { beginActivities } from './sync/begin.ts'
import { pullActivities } from './sync/pull.ts'
import { pushActivities } from './sync/push.ts'
import { undoActivities } from './sync/undo.ts'
import { verifyActivities } from './sync/verify.ts'
import { uploadActivities } from './upload.ts'

export const createActivities = (deps: Dependencies) =>
  beating({
    ...alertActivities(deps),
    ...connectionActivities(deps),
    ...formActivities(deps),
    ...housekeepingActivities(deps),
    ...importActivities(deps),
    ...noteActivities(deps),
    ...messageActivities(deps),
    ...messageTestActivities(deps),
    ...optOutActivities(deps),
    ...runActivities(deps),
    ...scheduleActivities(deps),
    ...sweepActivities(deps),
    ...beginActivities(deps),
    ...pullActivities(deps),
    ...pushActivities(deps),
    ...verifyActivities(deps),
    ...undoActivities(deps),
    ...uploadActivities(deps),
  })

export type Activities = ReturnType<typeof createActivities>
