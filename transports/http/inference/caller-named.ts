/** Whose request it is: the gateway names its users by something opaque, so that one of them cannot hold up the others. */

/** Callers without a name are one. */
export function callerNamed(request: { header(name: string): string }): string {
  const name = request.header('x-vello-caller');
  return /^[\x21-\x7e]{1,64}$/.test(name) ? name : '';
}
