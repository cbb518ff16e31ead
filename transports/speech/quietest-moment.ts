/** Where to cut speech that has no pause. */

/** Shorter dips are the closures of stop consonants, within a word. */
const DIP_FRAMES = 5;

/** The index in the middle of the quietest few frames of the later half. */
export function quietestMoment(frames: readonly Float32Array[]): number {
  const energies = frames.map((frame) => frame.reduce((sum, sample) => sum + sample * sample, 0));
  let best = frames.length;
  let lowest = Infinity;
  for (let first = Math.floor(frames.length / 2); first + DIP_FRAMES <= frames.length; first++) {
    const energy = energies.slice(first, first + DIP_FRAMES).reduce((sum, value) => sum + value, 0);
    if (energy < lowest) {
      lowest = energy;
      best = first + Math.ceil(DIP_FRAMES / 2);
    }
  }
  return best;
}
