/** Why an address is suppressed; the delivery is the evidence, and the server's words stay with the server. */
export const bounceEvidence = (deliveryId: string, ...said: (number | string | null)[]): string =>
  [`The mail of delivery ${deliveryId} came back for good`, said.filter((each) => each !== null).join(' ')]
    .filter((part) => part !== '')
    .join(': ')
