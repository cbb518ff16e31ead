/** Numbers of things as people write them. */

/** `1 device`, `2 devices`; `plural` where it is more than an s. */
export const count = (number: number, thing: string, plural = `${thing}s`): string =>
  `${number} ${number === 1 ? thing : plural}`;
