/** Types of `progress.mjs`. */
export interface Progress {
  readonly say: (text: string) => void;
  readonly write: (text: string) => void;
  step<T>(title: string, work: (report: (detail: string) => void) => Promise<T>): Promise<T>;
}

export function createProgress(output: NodeJS.WriteStream): Progress;
