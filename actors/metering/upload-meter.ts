/** What a request's body says about itself while it passes by: the model it asks for, how long its audio is, and whether it contradicts itself. */
import { VelloError } from '../../config/errors.ts';
import { createAudioLengthReader, type AudioLength } from '../audio/audio-length.ts';
import { JsonBodyScanner, type JsonBodyListener, type JsonShape } from './json-body-scanner.ts';
import { createMultipartScanner } from './multipart-scanner.ts';

export interface UploadMeter {
  /**
   * Takes the next bytes; `isLast` when the body is over with them. Returns `BAD_REQUEST` once it has shown that two readers could
   * find two different requests in it: a field given twice, a model other than the one named beside the body, lines or boundaries
   * that some take for ends and some do not, bytes behind its end.
   */
  take(chunks: readonly Uint8Array[], isLast: boolean): VelloError | undefined;
  /** The `model` field, once it has been seen whole. */
  model(): string | undefined;
  facts(): BodyFacts;
  /** Of a JSON body: where its members stand. */
  readonly shape?: JsonShape;
}

export interface BodyFacts {
  /** The length of what has passed of the part `file`. */
  readonly audio: AudioLength;
  /** Bytes of a JSON body's words, files in it left out; of a form's part `prompt`. */
  readonly textBytes: number;
  /** How many answers are asked for (`n`). */
  readonly answers: number;
}

const NO_AUDIO: AudioLength = { audioSeconds: 0, source: 'none' };
const MODEL_NAME_BYTES = 256;

/** @param named the model as the request names it beside its body, if it does. */
export function createMultipartMeter(boundary: string, named?: string): UploadMeter {
  const reader = createAudioLengthReader();
  const seen = new Set<string>();
  let part = '';
  let modelBytes = Buffer.alloc(0);
  let model: string | undefined;
  let textBytes = 0;
  let count = '';

  const scanner = createMultipartScanner(boundary, {
    begin: (name) => {
      // Lists are sent as `name[]`, one part for each member; everything else has one value, and readers differ in which.
      if (isAlmostModel(name)) throw contradiction(`There is no field ${quoted(name)}.`);
      // Some providers fetch what it leads to, and nothing of that could be metered here.
      if (/ur[il]$/i.test(name)) throw contradiction(`The field ${quoted(name)} is not taken: files are sent.`);
      if (seen.has(name) && !name.endsWith('[]')) throw contradiction(`The field ${quoted(name)} is given twice.`);
      if (seen.size >= MOST_FIELDS) throw contradiction('The form has too many fields.');
      seen.add(name);
      part = name;
    },
    data: (bytes) => {
      if (part === 'file') reader.push(bytes);
      else if (part === 'model') {
        if (modelBytes.length + bytes.byteLength > MODEL_NAME_BYTES) throw contradiction('The model name is too long.');
        modelBytes = Buffer.concat([modelBytes, bytes]);
      } else if (part === 'prompt') textBytes += bytes.byteLength;
      else if (part === 'n' && count.length < MODEL_NAME_BYTES) count += Buffer.from(bytes).toString('latin1');
    },
    end: () => {
      if (part !== 'model') return;
      model = modelBytes.toString('utf8').trim();
      agree(named, model);
    },
  });

  return {
    take: (chunks, isLast) =>
      contradictionIn(() => {
        for (const chunk of chunks) scanner.push(chunk);
        if (isLast) scanner.end();
      }),
    model: () => model,
    facts: () => ({
      audio: seen.has('file') ? reader.length() : NO_AUDIO,
      textBytes,
      answers: answersIn(seen.has('n') ? count.trim() : undefined),
    }),
  };
}

/** More than any provider knows. */
const MOST_FIELDS = 200;

/** Providers make so many at once. */
const MOST_ANSWERS = 10;

/** What is none of the plain numbers may mean another to the provider: it is taken for the most. */
function answersIn(text: string | undefined): number {
  if (text === undefined || text === 'null') return 1;
  return /^[1-9]\d?$/.test(text) ? Number(text) : MOST_ANSWERS;
}

/** Of a JSON body. */
export class JsonMeter implements UploadMeter, JsonBodyListener {
  readonly shape = new JsonBodyScanner(this);
  readonly #named: string | undefined;
  readonly #forbidden: string | undefined;
  readonly #mayHoldFiles: boolean;
  #isChecked = false;

  /**
   * @param named the model as the request names it beside its body, if it does.
   * @param forbidden a member that must be false where it is given: what it asks for could not be metered.
   * @param mayHoldFiles what looks like a file in it is none of its words.
   */
  constructor(named?: string, forbidden?: string, mayHoldFiles = true) {
    this.#named = named;
    this.#forbidden = forbidden;
    this.#mayHoldFiles = mayHoldFiles;
  }

  take(chunks: readonly Uint8Array[]): VelloError | undefined {
    return contradictionIn(() => {
      for (const chunk of chunks) this.shape.push(chunk);
      const forbidden = this.#forbidden === undefined ? undefined : this.shape.member(this.#forbidden);
      // Some readers take 1 and "yes" for true.
      if (forbidden !== undefined && forbidden.literal !== 'false' && forbidden.literal !== 'null') {
        throw contradiction(`The member ${quoted(this.#forbidden ?? '')} must be false here.`);
      }
      const model = this.shape.model();
      if (model === undefined || this.#isChecked) return;
      this.#isChecked = true;
      agree(this.#named, model);
    });
  }

  model(): string | undefined {
    return this.shape.model();
  }

  facts(): BodyFacts {
    const answers = answersIn(this.shape.member('n')?.literal);
    return { audio: NO_AUDIO, textBytes: this.shape.textBytes(this.#mayHoldFiles), answers };
  }

  onKey(key: string, isRepeated: boolean): void {
    if (isRepeated) throw contradiction(`The member ${quoted(key)} is given twice.`);
    if (isAlmostModel(key)) throw contradiction(`There is no member ${quoted(key)}.`);
  }

  onTooManyKeys(): void {
    throw contradiction('The body has too many members.');
  }

  onNul(): void {
    throw contradiction('The body must be JSON in UTF-8.');
  }

  onRest(): void {
    throw contradiction('Something follows the end of the object.');
  }
}

/** For requests without a body. */
export const emptyMeter: UploadMeter = {
  take: () => undefined,
  model: () => undefined,
  facts: () => ({ audio: NO_AUDIO, textBytes: 0, answers: 1 }),
};

function contradictionIn(read: () => void): VelloError | undefined {
  try {
    read();
    return undefined;
  } catch (error) {
    if (error instanceof VelloError) return error;
    throw error;
  }
}

/** Some readers do not mind the case of a name. */
function isAlmostModel(name: string): boolean {
  return name !== 'model' && name.trim().toLowerCase() === 'model';
}

function agree(named: string | undefined, model: string): void {
  if (named !== undefined && named !== model) {
    throw contradiction(`The request names the model ${quoted(named)}, and its body ${quoted(model)}.`);
  }
}

function contradiction(message: string): VelloError {
  return new VelloError('BAD_REQUEST', message);
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}
