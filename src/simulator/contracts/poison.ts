/** A row that the server cannot read: any page with it fails with an HTML error page. */
export class Poisoned extends Error {}
