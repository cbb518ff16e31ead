/** Whatever happens to a live transcription, in whatever order: one event, no frame twice, no text lost. */
import fc from 'fast-check';
import t from 'tap';
import { VelloError } from '../../../config/errors.ts';
import { startLiveCall, type MemorySocket } from '../../fixtures/live-call.ts';

type Act =
  | { readonly do: 'speak'; readonly frames: number }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'commit' | 'end' | 'lose' | 'leave' | 'return' | 'stall' | 'want' | 'say' | 'final' | 'done' }
  | { readonly do: 'break' | 'revoke' | 'windUp' | 'shutDown' | 'crash' | 'durable' };

const oneOf = <D extends Act['do']>(...deeds: readonly D[]) => fc.record({ do: fc.constantFrom(...deeds) });

const acts = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant('speak' as const), frames: fc.integer({ min: 1, max: 30 }) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 40_000 }) }) },
    { weight: 8, arbitrary: oneOf('commit', 'lose', 'return', 'stall', 'want', 'say', 'final') },
    { weight: 5, arbitrary: oneOf('end', 'done', 'durable') },
    { weight: 1, arbitrary: oneOf('leave', 'break', 'revoke', 'windUp', 'shutDown', 'crash') },
  ),
  { maxLength: 60 },
);

/** A desktop as the SDK is one: it keeps what was not heard, and says it again over the next socket. */
class Desktop {
  readonly said: (number | 'commit' | 'end')[] = [];
  readonly finals: string[] = [];
  socket: MemorySocket | undefined;
  #next = 0;
  #seen = 0;
  readonly #life: ReturnType<typeof startLiveCall>;

  constructor(life: ReturnType<typeof startLiveCall>) {
    this.#life = life;
  }

  /** Frames are told apart by their lengths. */
  say(what: 'frame' | 'commit' | 'end'): void {
    if (this.said.includes('end')) return;
    this.said.push(what === 'frame' ? 2 * (this.said.length + 1) : what);
    this.pump();
  }

  come(): void {
    this.read();
    this.socket = this.#life.open(this.finals.length);
    this.#seen = 0;
    this.#next = this.socket.last('ready')?.heard ?? 0;
    this.read();
    this.pump();
  }

  lose(isForGood: boolean): void {
    this.read();
    if (this.socket !== undefined) this.#life.call.detach(this.socket, isForGood);
    this.socket = undefined;
  }

  pump(): void {
    while (this.socket !== undefined && this.socket.closed === undefined && this.#next < this.said.length) {
      const next = this.said[this.#next++];
      if (typeof next === 'number') this.#life.call.take(this.socket, { type: 'audio', frame: new Uint8Array(next) });
      else if (next !== undefined) this.#life.call.take(this.socket, { type: next });
    }
  }

  read(): void {
    const { socket } = this;
    if (socket === undefined) return;
    for (; this.#seen < socket.heard.length; this.#seen += 1) {
      const message = socket.heard[this.#seen];
      if (message?.type !== 'final') continue;
      if (message.seq !== this.finals.length + 1) throw new Error(`final ${message.seq} follows ${this.finals.length}`);
      this.finals.push(message.text);
    }
    if (socket.closed !== undefined) this.socket = undefined;
  }
}

t.test('one event, no frame twice, no text lost', async (t) => {
  const outcomes = new Set<string>();
  fc.assert(
    fc.property(acts, (script) => {
      const life = startLiveCall();
      const { call, line, events } = life;
      const desktop = new Desktop(life);
      desktop.come();
      const finals: string[] = [];
      const isOpen = () => line.sent.at(-1) !== 'close';
      const deeds: { readonly [D in Act['do']]: (act: Extract<Act, { readonly do: D }>) => void } = {
        speak: ({ frames }) => {
          for (let index = 0; index < frames; index += 1) desktop.say('frame');
        },
        commit: () => desktop.say('commit'),
        end: () => desktop.say('end'),
        pass: ({ ms }) => life.pass(ms),
        lose: () => desktop.lose(false),
        leave: () => desktop.lose(true),
        return: () => {
          if (call.isWorthMeeting) desktop.come();
        },
        stall: () => void (line.takesMore = false),
        want: () => {
          line.takesMore = true;
          if (isOpen()) line.listener.wanted();
        },
        say: () => {
          if (isOpen()) line.listener.partial(`item ${finals.length}`, 'word ');
        },
        final: () => {
          if (!isOpen()) return;
          line.listener.final(`item ${finals.length}`, `Text ${finals.length}.`, {});
          finals.push(`Text ${finals.length}.`);
        },
        done: () => {
          if (isOpen() && line.sent.includes('end')) line.listener.done();
        },
        break: () => {
          if (isOpen()) line.listener.broken(new VelloError('UPSTREAM_FAILED'));
        },
        revoke: () => call.revoke(),
        windUp: () => call.windUp(),
        shutDown: () => call.shutDown(),
        crash: () => call.crash(),
        durable: () => life.settle(),
      };
      for (const act of script) {
        (deeds[act.do] as (act: Act) => void)(act);
        desktop.read();
      }
      const passedOn = line.sent.filter((one) => one !== 'close');
      const wasSettled = events.length > 0;
      call.shutDown();
      life.settle();
      desktop.read();
      const [event] = events;
      if (event === undefined || events.length !== 1) throw new Error(`${events.length} events`);
      outcomes.add(event.outcome);
      const frames = passedOn.filter((one): one is number => typeof one === 'number');
      const seconds = frames.reduce((sum, bytes) => sum + bytes, 0) / 32_000;
      if (Math.abs(event.audioSeconds - seconds) > 1e-6) throw new Error(`${event.audioSeconds} of ${seconds} s`);
      const isInOrder = passedOn.every((one, at) => one === desktop.said[at] || one === 'end');
      if (!isInOrder) throw new Error(`passed on: ${passedOn.join()}; said: ${desktop.said.join()}`);
      const hasAll = desktop.finals.length === finals.length || event.outcome !== 'ok' || desktop.socket === undefined;
      if (!hasAll) throw new Error(`${desktop.finals.length} of ${finals.length} finals`);
      if (event.outcome === 'client_abort' && finals.length > 0 && event.result !== finals.join(' '))
        throw new Error('kept');
      if (life.clock.pendingTimers > 0) throw new Error(`${life.clock.pendingTimers} timers`);
      return wasSettled || ['shutdown', 'client_abort'].includes(event.outcome);
    }),
    { numRuns: 1_500 },
  );
  for (const outcome of ['client_abort', 'ok', 'shutdown', 'truncated', 'upstream_error']) {
    t.ok(outcomes.has(outcome), outcome);
  }
});
