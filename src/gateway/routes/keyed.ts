/** The body of a request, with the key of its header as the client takes it. */
export function keyed<Body extends object>(request: {
  body: Body;
  headers: { 'idempotency-key'?: string };
}): Body & { idempotencyKey?: string } {
  const key = request.headers['idempotency-key'];
  return { ...request.body, ...(key !== undefined && { idempotencyKey: key }) };
}
