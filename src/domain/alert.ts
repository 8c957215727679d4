/** What administrators and programs are told of. Each is a problem that lasts until it is resolved, or a thing that happened once (`runFailed`, `scheduleMissed`). */
export type AlertKind =
  | 'connectionBroken'
  | 'runIncomplete'
  | 'runFailed'
  | 'scheduleMissed'
  | 'scheduleRepaired'
  | 'quarantineGrown'

/** Ids, codes and numbers: never a person, a name of a CRM field's content, or a secret (R37). */
export type AlertDetails = Record<string, string | number | boolean | null>
