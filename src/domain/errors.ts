/**
 * The one vocabulary of failure. A code is the problem's `code`, the Temporal failure's `type`, the log's field.
 * `kind` decides what happens to the work: `transient` is retried, `held` waits for a person to mend the connection,
 * `record` rejects one record, `request` is the caller's to mend, `bug` is ours.
 */
export type ErrorKind = 'transient' | 'held' | 'record' | 'request' | 'bug'

type Entry = { kind: ErrorKind; status: number; title: string; remedy: string }

const entry = (kind: ErrorKind, status: number, title: string, remedy: string): Entry => ({
  kind,
  status,
  title,
  remedy,
})

export const errorTable = {
  // the CRM's address and what answers there
  invalidUrl: entry(
    'request',
    422,
    'The CRM address is not a URL.',
    'Enter the address that you type into the browser, such as https://crm.example.com.',
  ),
  hostNotAllowed: entry(
    'request',
    422,
    'This host may not be used as a CRM.',
    'Use the address of your CRM server; an operator can extend CRM_ALLOWED_HOSTS. Link-local and cloud metadata addresses are never allowed.',
  ),
  notInforCrm: entry(
    'request',
    422,
    'Something answers there, but it is not an Infor CRM with SData.',
    'Check the address, and that SData is enabled on the CRM server.',
  ),
  crmUnreachable: entry(
    'transient',
    502,
    'The CRM does not answer.',
    'Check that the address is right, that the server runs, and that this machine may reach it.',
  ),
  crmCertificate: entry(
    'held',
    502,
    'The CRM’s certificate is not trusted.',
    'Install a valid certificate on the CRM server, or add its authority with NODE_EXTRA_CA_CERTS.',
  ),
  crmTimeout: entry(
    'transient',
    504,
    'The CRM did not answer in time.',
    'Nothing is lost; the request is repeated. If it goes on, look at the load of the CRM server.',
  ),
  crmBusy: entry('transient', 503, 'The CRM asks for a pause.', 'Nothing is lost; work goes on at a slower pace.'),
  crmFailed: entry(
    'transient',
    502,
    'The CRM reported a failure of its own.',
    'Nothing is lost; the request is repeated. If it goes on, look at the CRM’s event log.',
  ),
  crmAnswer: entry(
    'transient',
    502,
    'The CRM’s answer could not be understood.',
    'Nothing is lost; the request is repeated. If it goes on, look for a proxy between here and the CRM.',
  ),
  crmPaging: entry(
    'transient',
    502,
    'The CRM does not page as asked.',
    'The list cannot be read completely; look for a proxy or a customisation of the feed in the CRM.',
  ),
  redirectRefused: entry(
    'held',
    502,
    'The CRM redirects to another host.',
    'Connect with the address that it redirects to; credentials are never sent on by themselves.',
  ),
  // login
  loginRefused: entry('held', 422, 'The CRM refuses the user name or password.', 'Check both and reconfirm the login.'),
  passwordExpired: entry(
    'held',
    422,
    'The password of the CRM user has expired.',
    'Set a new password in Infor CRM and reconfirm the login.',
  ),
  mfaRequired: entry(
    'held',
    422,
    'The CRM asks this user for a second factor.',
    'Use a CRM user that is exempt from multi-factor authentication.',
  ),
  notAdministrator: entry(
    'held',
    422,
    'The CRM user is not an administrator.',
    'Use a CRM user with administrator rights.',
  ),
  connectorDisabled: entry(
    'held',
    409,
    'The connector is disabled for this account.',
    'Ask the operator to enable it.',
  ),
  notConnected: entry('request', 409, 'No CRM is connected.', 'Connect an Infor CRM first: PUT /v1/connection.'),
  slotsFull: entry(
    'request',
    409,
    'All ten schedule slots are taken.',
    'Pause or remove one of the ten schedules that are named, then try again.',
  ),
  connectionBusy: entry(
    'request',
    409,
    'The connection is being checked already.',
    'Wait for the check to end; GET /v1/connection shows it.',
  ),
  otherCrm: entry(
    'request',
    409,
    'A different CRM is connected already.',
    'Reset the connector first: POST /v1/connection/reset.',
  ),
  // schema and records
  entityDisabled: entry(
    'transient',
    502,
    'The CRM does not offer this kind of person.',
    'Enable the feed of the entity in the Application Architect.',
  ),
  unknownProperty: entry('record', 422, 'The CRM does not know a property.', 'Refresh the fields and choose again.'),
  unknownField: entry(
    'request',
    422,
    'A chosen field does not exist in the CRM.',
    'Choose from GET /v1/crm/fields; refresh=true reads it anew.',
  ),
  secretField: entry('request', 422, 'A chosen field holds a secret and is never read.', 'Leave it out.'),
  duplicateField: entry('request', 422, 'A field is chosen twice.', 'Name each field once.'),
  unknownColumn: entry(
    'request',
    422,
    'The list has no such column.',
    'Choose from the columns of the list; a further CRM field is added as a column first.',
  ),
  fieldReadOnly: entry(
    'request',
    422,
    'A field that is named can never be written.',
    'Leave it out; it can still be read and pulled.',
  ),
  columnLocked: entry(
    'request',
    409,
    'Every list has this column.',
    'Untick it in the sync settings where it is not wanted.',
  ),
  pullNotPossible: entry(
    'request',
    422,
    'A plain list or a segment cannot pull from the CRM.',
    'Switch the pull off: a plain list and a segment can only push, and are neither swept nor verified.',
  ),
  noRight: entry('record', 422, 'The CRM user may not do this.', 'Grant the right in Infor CRM.'),
  crmRefused: entry('record', 422, 'The CRM refuses the request.', 'Read the CRM’s own message beside this one.'),
  crmNotFound: entry(
    'record',
    404,
    'The CRM does not have this record.',
    'It may have been deleted or converted; the next sweep settles it.',
  ),
  crmChanged: entry(
    'record',
    409,
    'The person was changed in the CRM meanwhile.',
    'Nothing needs to be done; the next run compares the two again.',
  ),
  unreadableRecord: entry(
    'record',
    422,
    'The CRM cannot deliver this record.',
    'Open the record in Infor CRM and mend it, then run again.',
  ),
  // work
  alreadyImported: entry(
    'request',
    409,
    'This entity has been imported already.',
    'Use Run Now on that list, or send "newList": true.',
  ),
  runFinished: entry('request', 409, 'The run has ended already.', 'Start a new run.'),
  runActive: entry('request', 409, 'A run of this list is under way.', 'Wait for it, or cancel it.'),
  nothingToRetry: entry(
    'request',
    409,
    'The run has skipped and rejected nothing of that kind.',
    'Look at the run’s entries; what it skipped or rejected of the CRM’s people, and mails that it could not send, can be tried again.',
  ),
  alreadyDecided: entry(
    'request',
    409,
    'The question is not open any more.',
    'Nothing needs to be done; if there is still doubt, a later run asks anew.',
  ),
  notUndoable: entry('request', 409, 'This run cannot be undone.', 'Only a sync that has ended can be undone.'),
  undoExpired: entry(
    'request',
    409,
    'The run is too old to be undone.',
    'Earlier values are kept for 90 days; change by hand what shall be otherwise.',
  ),
  notAPreview: entry(
    'request',
    422,
    'That run is no preview of this list.',
    'Name a preview of the list: POST /v1/lists/{listId}/runs with "preview": true makes one.',
  ),
  previewNotReady: entry(
    'request',
    409,
    'The preview has not come to its end.',
    'Wait for it; one that failed or was cancelled shows too little to be run.',
  ),
  previewExpired: entry(
    'request',
    409,
    'What the preview has shown is no longer kept.',
    'Previews are kept seven days; make a new one.',
  ),
  previewApplied: entry('request', 409, 'The preview has been run already.', 'Make a new one.'),
  nothingToConfirm: entry(
    'request',
    409,
    'The run waits for no confirmation.',
    'Only a sweep that ended with massDeletion can be confirmed.',
  ),
  massDeletion: entry(
    'request',
    409,
    'Unusually many records are gone from the CRM.',
    'Check the rights of the CRM user, then confirm the deletions.',
  ),
  leaseLost: entry('transient', 503, 'Another worker has taken this work over.', 'Nothing; the other one goes on.'),
  // the API
  invalidInput: entry('request', 422, 'The request is not valid.', 'Correct the places that are named.'),
  invalidJson: entry('request', 400, 'The body is not valid JSON.', 'Send well-formed JSON in UTF-8.'),
  unsupportedMediaType: entry(
    'request',
    415,
    'The body has a type that is not understood here.',
    'Send application/json.',
  ),
  malformedRequest: entry(
    'request',
    400,
    'The request is not valid HTTP.',
    'Send a well-formed HTTP/1.1 request with a method that /docs names.',
  ),
  headersTooLarge: entry('request', 431, 'The headers are too large.', 'Send less than 16 KiB of address and headers.'),
  requestTimeout: entry(
    'request',
    408,
    'The request did not arrive in time.',
    'Send the whole request without a pause.',
  ),
  bodyTooLarge: entry('request', 413, 'The body is too large.', 'Send less at once.'),
  invalidCursor: entry(
    'request',
    422,
    'The cursor is not one of ours.',
    'Use nextCursor as it was given, with the same filter and sort.',
  ),
  unauthenticated: entry('request', 401, 'An API key is missing or unknown.', 'Send Authorization: Bearer <API key>.'),
  keyRevoked: entry('request', 401, 'This API key has been revoked.', 'Use another key.'),
  keyExpired: entry('request', 401, 'This API key has expired.', 'Ask an administrator for a new key.'),
  forbidden: entry('request', 403, 'This API key’s role does not permit that.', 'Use a key with a higher role.'),
  notFound: entry('request', 404, 'There is nothing here by that id.', 'Check the id.'),
  methodNotAllowed: entry('request', 405, 'This address does not take that method.', 'Use one that Allow names.'),
  conflict: entry('request', 409, 'The state has changed meanwhile.', 'Read it again and repeat the change.'),
  nameTaken: entry('request', 409, 'The name is taken.', 'Choose another name.'),
  folderLocked: entry(
    'request',
    409,
    'Every account has the folder "Default".',
    'Keep its name; make other folders beside it.',
  ),
  folderNotEmpty: entry(
    'request',
    409,
    'The folder has lists.',
    'Move its lists to another folder or remove them first.',
  ),
  lastAdminKey: entry('request', 409, 'This is the last administrator key.', 'Make another administrator key first.'),
  idempotencyMismatch: entry(
    'request',
    409,
    'The idempotency key was used for another request.',
    'Use a new key for a new request.',
  ),
  tooManyRequests: entry('request', 429, 'Too many requests.', 'Wait as long as Retry-After says.'),
  queryTimeout: entry('request', 422, 'The filter takes too long.', 'Narrow the filter, or sort by id.'),
  overloaded: entry('request', 503, 'The service is busy.', 'Repeat the request shortly.'),
  engineUnavailable: entry(
    'transient',
    503,
    'The workflow engine does not answer.',
    'Nothing is lost; work starts when it is back.',
  ),
  databaseUnavailable: entry('transient', 503, 'The database does not answer.', 'Repeat the request shortly.'),
  externalIdTaken: entry(
    'request',
    409,
    'Another record of the list has this external id.',
    'Change or restore that record, or use another external id.',
  ),
  erased: entry(
    'request',
    409,
    'The person was erased and is not brought back.',
    'Leave it so; the person comes back by filling in a form.',
  ),
  recordMerged: entry('request', 409, 'The record was merged into another one.', 'Use the record that took its place.'),
  recordRemoved: entry(
    'request',
    409,
    'The record was removed from the list.',
    'Restore it first: POST …/records/{recordId}/restore.',
  ),
  // segments and suppressions
  segmentBroken: entry(
    'request',
    409,
    'The segment’s filter fits its list no more.',
    'Change the filter at the places that are named: PATCH /v1/segments/{segmentId}.',
  ),
  suppressionOfCrm: entry(
    'request',
    409,
    'The CRM decides about this suppression.',
    'Allow e-mail to the person in Infor CRM; that lifts it.',
  ),
  noDoNotEmail: entry(
    'record',
    422,
    'People of this kind have no DoNotEmail in the CRM, so the opt-out cannot be written there.',
    'Make the field visible to the CRM user, refresh the fields and try again. Nothing is sent to the address meanwhile.',
  ),
  optOutNotKept: entry(
    'record',
    422,
    'The CRM has taken the change of DoNotEmail and does not show it.',
    'Look for a rule or customisation in Infor CRM that resets the field, then try again. Nothing is sent to an address that has opted out.',
  ),
  // forms
  formClosed: entry('request', 409, 'The form is closed and takes nothing.', 'Open it again: PATCH its state to open.'),
  formRemoved: entry('request', 410, 'The form was removed and takes nothing.', 'Make a new form.'),
  emptySubmission: entry('request', 422, 'The submission is empty.', 'Answer at least one field of the form.'),
  notRetryable: entry(
    'request',
    409,
    'Nothing there is rejected.',
    'Only what is rejected is tried again by hand; the rest goes on by itself.',
  ),
  // the public page of a form
  originNotAllowed: entry(
    'request',
    403,
    'The form may not be sent from this site.',
    'Add the origin to allowedOrigins of the form, or send from one that stands there.',
  ),
  pageSpent: entry(
    'request',
    409,
    'The page that this was sent from cannot be used any more.',
    'Open the form again and send it from there, or send without _token.',
  ),
  // webhooks
  webhookHostNotAllowed: entry(
    'request',
    422,
    'This address may not be used for a webhook.',
    'Use the http or https address of your own server; an operator can extend WEBHOOK_ALLOWED_HOSTS. Link-local and cloud metadata addresses are never allowed.',
  ),
  tooManyWebhooks: entry('request', 409, 'An account has 20 webhooks at most.', 'Remove one that is not needed.'),
  // messages
  templateInvalid: entry(
    'request',
    422,
    'A template of the message cannot be read.',
    'Correct it at the line and column that are named.',
  ),
  unknownPlaceholder: entry(
    'record',
    422,
    'The message asks for a value that no list of its audience has.',
    'Use the name of a column of these lists in small letters, words joined by _, such as first_name.',
  ),
  templateFailed: entry(
    'record',
    422,
    'The mail could not be made: a value does not fit what the template does with it.',
    'Correct the template at the line and column that are named, or the value of the record.',
  ),
  messageSent: entry(
    'request',
    409,
    'The message is being sent, or was sent, and cannot be changed.',
    'Copy it and change the copy: POST /v1/messages/{messageId}/copy.',
  ),
  messageNotReady: entry(
    'request',
    409,
    'The message cannot be sent as it is.',
    'Correct what is named; GET /v1/messages/{messageId}/check shows it.',
  ),
  subjectMissing: entry('request', 409, 'The message has no subject.', 'Give it one.'),
  htmlMissing: entry('request', 409, 'The message has no HTML.', 'Write what it says.'),
  unsubscribeMissing: entry(
    'request',
    409,
    'The message has no link to unsubscribe.',
    'Put one into the HTML: <a href="{{ unsubscribe_url }}">Unsubscribe</a>.',
  ),
  audienceEmpty: entry(
    'request',
    409,
    'Nobody would get the message.',
    'Choose lists or segments with people who may be mailed; the check counts who is left out, and why.',
  ),
  audienceGone: entry(
    'request',
    409,
    'A list or segment of the audience was removed, so nobody knows who is to get the message.',
    'Take it out of the audience, or put another one in its place.',
  ),
  notOurSender: entry(
    'request',
    409,
    'Another sender sends this message.',
    'Report its deliveries: POST /v1/messages/{messageId}/deliveries; or set its sender to smtp.',
  ),
  notOtherSender: entry(
    'request',
    409,
    'This message is sent from here.',
    'Only a message whose sender is “other” takes reports of deliveries.',
  ),
  notSending: entry('request', 409, 'The message is neither scheduled nor being sent.', 'Send it first: POST …/send.'),
  notBounceable: entry(
    'request',
    409,
    'Nobody has taken this mail, so it cannot come back.',
    'Report bounces only of deliveries that are accepted.',
  ),
  publicUrlMissing: entry(
    'request',
    409,
    'Nobody has said where this installation is reached, so links in mails would lead nowhere.',
    'Ask the operator to set PUBLIC_URL.',
  ),
  mailNotConfigured: entry('request', 409, 'No mail server is configured.', 'Ask the operator to set SMTP_URL.'),
  mailUnreachable: entry(
    'transient',
    503,
    'The mail server does not answer.',
    'Nothing is lost; sending goes on when it is back. If it lasts, check SMTP_URL and the mail server.',
  ),
  mailLoginRefused: entry(
    'transient',
    503,
    'The mail server refuses the user name or password.',
    'Nothing is lost; correct SMTP_URL and start the workers anew, and sending goes on.',
  ),
  mailSenderRefused: entry(
    'transient',
    503,
    'The mail server does not take mail from the sender of this message.',
    'Nothing is lost; allow the sender on the mail server, and sending goes on. Otherwise cancel it and send with another sender.',
  ),
  mailRefused: entry(
    'record',
    422,
    'The mail server refuses this mail for good.',
    'Look at the status beside it; if it is 5.1.x the address takes no mail, and is suppressed.',
  ),
  mailTransient: entry(
    'record',
    422,
    'The mail server did not take this mail for a whole day.',
    'Try it again later: POST /v1/runs/{runId}/retry.',
  ),
  // uploads
  notCsv: entry('request', 422, 'The file is not a CSV file.', 'Save it as CSV, and upload that file.'),
  emptyFile: entry('request', 422, 'The file is empty.', 'Upload a file with a header and at least one row.'),
  headerMissing: entry(
    'request',
    422,
    'The file has no header.',
    'Put the names of the columns into the first line; “columns” can say where each goes.',
  ),
  headerInvalid: entry(
    'request',
    422,
    'The header of the file cannot be used.',
    'Correct the line that is named, and upload the file again.',
  ),
  secretUnreadable: entry(
    'bug',
    500,
    'A stored secret cannot be decrypted.',
    'Give FAIRLEAD_SECRET_KEYS the key that encrypted it.',
  ),
  internal: entry(
    'bug',
    500,
    'Something went wrong on our side.',
    'Repeat the request; if it goes on, give the request id to the operator.',
  ),
} as const satisfies Record<string, Entry>

export type ErrorCode = keyof typeof errorTable

/** Whether it goes away by itself, without a person. */
export const passesBy = (code: string): code is ErrorCode =>
  code in errorTable && errorTable[code as ErrorCode].kind === 'transient'

/** What the CRM itself said (R25): shown beside our sentence, kept out of logs and histories (R37). */
export type CrmSaid = { status?: number; code?: string; message?: string; field?: string }

export type ErrorDetails = {
  /** overrides the table's sentence about the cause */
  detail?: string
  remedy?: string
  /** where in the request: path and sentence, and what is wrong with an answer to a form */
  errors?: { path: string; message: string; code?: string }[]
  crm?: CrmSaid
  /** milliseconds until a retry makes sense, from Retry-After */
  retryAfterMs?: number
  /** further members of the problem, such as the list that exists already */
  extra?: Record<string, unknown>
  cause?: unknown
}

/** The only error that Fairlead throws on purpose. `message` is safe to log: it never holds a person, a secret or a CRM reply. */
export class FairleadError extends Error {
  override readonly name = 'FairleadError'
  readonly code: ErrorCode
  readonly details: ErrorDetails

  constructor(code: ErrorCode, details: ErrorDetails = {}) {
    super(details.detail ?? errorTable[code].title, { cause: details.cause })
    this.code = code
    this.details = details
  }

  get kind(): ErrorKind {
    return errorTable[this.code].kind
  }

  get status(): number {
    return errorTable[this.code].status
  }

  get remedy(): string {
    return this.details.remedy ?? errorTable[this.code].remedy
  }
}

/** An error about one place of the input. */
export const misplaced = (path: string, message: string, code: ErrorCode = 'invalidInput'): FairleadError =>
  new FairleadError(code, { detail: `${path}: ${message}`, errors: [{ path, message }] })

export const isFairleadError = (error: unknown): error is FairleadError => error instanceof FairleadError
