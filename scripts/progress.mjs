/**
 * Shows long work on a terminal: one line a step, rewritten while it runs, with its time once it is done. Where the output is not a
 * terminal, only the finished lines are written. Plain JavaScript, since it already runs before the first build.
 */
const SPINNER = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const TITLE_WIDTH = 62;

/** @param {NodeJS.WriteStream} output */
export function createProgress(output) {
  const isLive = output.isTTY === true && process.env.TERM !== 'dumb' && process.env.CI === undefined;
  const paint = (code, text) => (isLive && process.env.NO_COLOR === undefined ? `\x1b[${code}m${text}\x1b[0m` : text);
  const line = (mark, title, startedAt) =>
    `  ${mark} ${title.padEnd(TITLE_WIDTH)} ${`${((performance.now() - startedAt) / 1000).toFixed(1)} s`.padStart(7)}`;

  return {
    /** Writes text between steps, or above the line of one that runs. */
    say: (text) => void output.write(`${isLive ? '\r\x1b[2K' : ''}${text}\n`),

    /** Writes text as it is, for what grows along a line. */
    write: (text) => void output.write(text),

    /**
     * Runs `work` as a step and passes its result on. `work` may report what it is at (`212 of 388 packages`), and may return
     * `{ title }` to end with another title than it began with.
     */
    async step(title, work) {
      const startedAt = performance.now();
      let detail = '';
      let frame = 0;
      const draw = () => {
        frame += 1;
        const text = detail === '' ? title : `${title}: ${detail}`;
        output.write(`\r${line(paint(36, SPINNER[frame % SPINNER.length]), text.slice(0, TITLE_WIDTH), startedAt)}`);
      };
      const timer = isLive ? setInterval(draw, 100) : undefined;
      const finish = (mark, finalTitle) => {
        clearInterval(timer);
        output.write(`${isLive ? '\r\x1b[2K' : ''}${line(mark, finalTitle, startedAt)}\n`);
      };
      try {
        const result = await work((text) => {
          detail = text;
        });
        finish(paint(32, '✓'), result?.title ?? title);
        return result;
      } catch (error) {
        finish(paint(31, '✗'), title);
        throw error;
      }
    },
  };
}
